"""Faces: found, judged, recognised, covered. Photographs come out of installed wheels or of ../shared."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.checks.base import CheckSettings, Region, SignalValues
from guardrail.checks.image.backends.base import DetectedFace, MatchScale, overlap
from guardrail.checks.image.faces import FaceCheck
from guardrail.decision import Action
from guardrail.demo.pictures import drawn_face, painted
from guardrail.errors import CheckError, ConfigurationError, GalleryError, WeightsMismatch, WeightsMissing
from guardrail.gallery import Gallery, IdentityMatch
from guardrail.guard.enrol import enrol
from guardrail.media import Context, ImageInput, Request
from guardrail.media.read import read_image
from guardrail.signals import CORE, Stage

# Where the face of scikit-image's portrait is.
FACE = (180, 70, 90, 115)


@pytest.fixture
def check(embedded_models: None) -> FaceCheck:
    return FaceCheck(CheckSettings(face_backend="embedded"))


def seen(check: FaceCheck, *pictures: Any, stage: Stage = Stage.REFERENCE, purpose: str = "") -> SignalValues:
    images = tuple(p if isinstance(p, ImageInput) else read_image(p) for p in pictures)
    request = Request(context=Context(purpose))
    request = Request(**{"images" if stage is Stage.REFERENCE else "outputs": images}, context=request.context)
    (answer,) = check.check([request], stage)
    assert isinstance(answer, SignalValues)
    assert CORE[f"{stage.value}.faces"].kind.admits(answer.signals[f"{stage.value}.faces"])
    return answer


def faces(check: FaceCheck, *pictures: Any, **options: Any) -> Any:
    return seen(check, *pictures, **options).signals["reference.faces"]


def centre(region: Region) -> tuple[float, float]:
    return region.box[0] + region.box[2] / 2, region.box[1] + region.box[3] / 2


# ---- found


def test_a_portrait_has_one_face_where_it_is(check: FaceCheck, portrait: Any) -> None:
    answer = seen(check, portrait)
    (region,) = answer.regions
    assert centre(region) == pytest.approx((FACE[0] + FACE[2] / 2, FACE[1] + FACE[3] / 2), abs=12)
    assert answer.signals["reference.faces"] == (
        {"real": 0.75, "identifiable": True, "match": 0.0, "gallery": "none", "consent": "unknown"},
    )


def test_at_the_output_nobody_is_asked_for_consent(check: FaceCheck, portrait: Any) -> None:
    (item,) = seen(check, portrait, stage=Stage.OUTPUT).signals["output.faces"]  # type: ignore[misc, union-attr]
    assert item.keys() == {"real", "identifiable", "match", "gallery"}


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "hubble_deep_field"])
def test_pictures_without_people_have_no_faces(check: FaceCheck, name: str) -> None:
    data = pytest.importorskip("skimage.data")
    assert faces(check, np.ascontiguousarray(getattr(data, name)()[..., :3])) == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p[:, ::-1],
        lambda p: np.asarray(Image.fromarray(p).rotate(30)),
        lambda p: np.asarray(Image.fromarray(p).rotate(90)),
        lambda p: np.asarray(Image.fromarray(p).resize((200, 200))),
        lambda p: np.asarray(Image.fromarray(p).resize((1500, 1500))),
        lambda p: np.asarray(Image.fromarray(p).convert("L").convert("RGB")),
        lambda p: (p * 0.35).astype(np.uint8),
        lambda p: np.pad(p, ((0, 700), (0, 300), (0, 0))),
    ],
    ids=["mirrored", "tilted", "on its side", "small", "large", "grey", "dark", "in a corner"],
)
@pytest.mark.nightly
def test_a_changed_portrait_still_has_its_face(check: FaceCheck, portrait: Any, change: Callable[[Any], Any]) -> None:
    assert len(faces(check, np.ascontiguousarray(change(portrait)))) == 1


def test_a_face_that_shows_on_one_backdrop_only_is_found(check: FaceCheck, portrait: Any) -> None:
    light = np.full((*portrait.shape[:2], 4), 255, np.uint8)
    light[..., 3] = np.asarray(Image.fromarray(portrait).convert("L"))  # white, as opaque as the photo is bright
    dark = light.copy()
    dark[..., :3] = 0
    dark[..., 3] = 255 - light[..., 3]  # black, as opaque as the photo is dark
    assert len(faces(check, light)) >= 1
    assert len(faces(check, dark)) >= 1


@pytest.mark.parametrize("factor", [0.05, 0.02, 0.012])
def test_a_face_in_the_dark_is_found(check: FaceCheck, portrait: Any, factor: float) -> None:
    # Where it is found without light too, it is judged both ways.
    found = seen(check, np.rint(portrait * factor).astype(np.uint8)).regions
    assert any(r.private.view == 1 and r.fields["identifiable"] for r in found)


def test_noise_in_the_dark_has_no_face(check: FaceCheck) -> None:
    levels = np.random.default_rng(0).integers(0, 3, (256, 256, 3), dtype=np.uint8)
    assert faces(check, levels) == ()


def test_a_face_in_a_long_strip_is_found(check: FaceCheck, portrait: Any) -> None:
    answer = seen(check, np.pad(portrait, ((9000, 6000), (0, 0), (0, 0)), constant_values=127))
    (region,) = answer.regions
    assert centre(region) == pytest.approx((225, 9127), abs=20)


# ---- one person over black and somebody else without the transparency


def two_in_one(drawing: Any, photograph: Any) -> Any:
    """(H, W, 4) pixels: one (H, W) grey picture over black and another one, lightened, without the transparency."""
    light = np.rint(160 + photograph / 255 * 95)
    # In whole levels, so that flat areas stay flat through the rounding of the transparency.
    alpha = np.rint(255 * np.rint(drawing / 255 * 155 / 12) * 12 / light)
    return np.dstack([light] * 3 + [alpha]).astype(np.uint8)


def test_a_drawn_face_over_black_does_not_hide_a_photographed_one_beneath(check: FaceCheck, portrait: Any) -> None:
    """The colours without the transparency are what pipelines take."""
    drawing, photograph = (
        np.asarray(p.convert("L").resize((500, 500))).astype(float)
        for p in (drawn_face(), Image.fromarray(portrait[20:220, 125:325]))
    )
    frame = two_in_one(drawing, photograph)
    over_black = next(iter(ImageInput((frame,)).views()))[1]
    (drawn,), (photographed,) = faces(check, over_black), faces(check, frame[..., :3])
    assert drawn["real"] < 0.5 < photographed["real"], "the file no longer shows what is meant"
    together = seen(check, ImageInput((frame,))).regions
    assert overlap(together[0].box, together[-1].box) > 0.5
    assert {drawn["real"], photographed["real"]} <= {r.fields["real"] for r in together}


def test_a_face_whose_pixels_are_the_same_in_every_view_is_one_face(check: FaceCheck, portrait: Any) -> None:
    frame = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])
    frame[400:, :100, 3] = 0  # beside the face
    assert len(list(ImageInput((frame,)).views())) == 4
    assert len(faces(check, frame)) == 1


def test_a_face_in_any_frame_is_found_and_named_by_frame(check: FaceCheck, portrait: Any) -> None:
    empty = np.full_like(portrait, 200)
    answer = seen(check, ImageInput((empty, empty, portrait)))
    assert [(r.image, r.frame) for r in answer.regions] == [(0, 2)]


def test_a_face_in_any_image_is_found_and_named_by_image(check: FaceCheck, portrait: Any) -> None:
    empty = np.full_like(portrait, 200)
    assert [r.image for r in seen(check, empty, portrait, empty, portrait).regions] == [1, 3]


def test_alone_in_a_batch_and_again_the_answer_is_the_same(check: FaceCheck, portrait: Any) -> None:
    small = np.asarray(Image.fromarray(portrait).resize((300, 300)))
    requests = [Request(images=(read_image(p),)) for p in (portrait, np.full_like(portrait, 90), small)]
    together = check.check(requests, Stage.REFERENCE)
    for request, answer in zip(requests, together, strict=True):
        (alone,) = check.check([request], Stage.REFERENCE)
        assert isinstance(alone, SignalValues)
        assert isinstance(answer, SignalValues)
        assert alone.signals == answer.signals
        assert [r.box for r in alone.regions] == [r.box for r in answer.regions]


# ---- judged


def test_a_drawing_in_flat_colours_is_a_depiction_and_a_painting_is_not_sure(check: FaceCheck, portrait: Any) -> None:
    (drawing,) = faces(check, drawn_face())
    (painting,) = faces(check, painted(Image.fromarray(portrait)))
    assert drawing["real"] < 0.5 <= painting["real"]


def test_a_face_too_small_to_recognise_anybody_is_said_to_be(check: FaceCheck, portrait: Any) -> None:
    assert faces(check, portrait)[0]["identifiable"]
    check.detector = Detector(at((10.0, 10.0, 11.0, 40.0)))
    assert not faces(check, portrait)[0]["identifiable"]


def test_what_was_measured_of_a_face_is_kept_with_it(check: FaceCheck, portrait: Any) -> None:
    (region,) = seen(check, portrait).regions
    quality = region.private.quality
    assert quality.pixels == pytest.approx(118, abs=12)
    assert quality.identifiable
    assert quality.quality > 0.5


def at(box: tuple[float, float, float, float]) -> DetectedFace:
    """A face without landmarks: its box decides."""
    return DetectedFace(box, 0.9, np.zeros((5, 2), np.float32))


class Detector:
    """A detector that always sees the same faces."""

    name = "scripted"
    weights: Mapping[str, str] = {}

    def __init__(self, *found: DetectedFace) -> None:
        self.found = list(found)

    def detect(self, image: Any) -> list[DetectedFace]:
        return self.found


# ---- recognised


class Embedder:
    """Counts what it is asked for."""

    name = "counting"
    dimension = 4
    weights: Mapping[str, str] = {}
    scale = MatchScale(same=0.6, consent=0.5, margin=0.05, far=1.1)

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def embed(self, image: Any, found: Sequence[DetectedFace]) -> Any:
        if found:
            self.asked.append([f.box[2] for f in found])
        return np.ones((len(found), 4), np.float32)


class Enrolled:
    """A gallery of so many people, none of whom is ever met."""

    def __init__(self, people: int) -> None:
        self.people = people

    def index(self, embedder: str) -> Any:
        index = type("Index", (), {"__len__": lambda _: self.people, "uncovered": 0})()
        index.match = lambda vector, scale, purpose="": IdentityMatch(0.0, "none", "unknown")
        return index


@pytest.mark.parametrize(
    ("gallery", "asked"),
    [(None, []), (Enrolled(0), []), (Enrolled(2), [[40.0, 60.0]])],
    ids=["no gallery", "an empty one", "somebody to compare with"],
)
def test_only_faces_that_somebody_could_know_are_embedded_and_in_one_call(
    check: FaceCheck, portrait: Any, gallery: Any, asked: list[list[float]]
) -> None:
    """The embedding costs more than all the rest."""
    check.detector = Detector(*(at((10.0 + 90 * i, 10.0, float(w), 80.0)) for i, w in enumerate((40, 9, 60, 5))))
    check.embedder, check._gallery = Embedder(), gallery
    said = faces(check, portrait)
    assert [f["identifiable"] for f in said] == [True, False, True, False]
    assert check.embedder.asked == asked


class ByView:
    """Sees one face in the same place of every view."""

    name = "by view"
    weights: Mapping[str, str] = {}

    def detect(self, image: Any) -> list[DetectedFace]:
        return [at((16.0, 16.0, 48.0, 48.0))]


class Brightness(Embedder):
    """Whose face it is: how bright it is."""

    def embed(self, image: Any, found: Sequence[DetectedFace]) -> Any:
        self.asked.append([float(image[40, 40, 0])])
        return np.full((len(found), 4), image[40, 40, 0], np.float32)


def test_consent_of_who_shows_over_black_is_not_that_of_who_is_beneath(check: FaceCheck) -> None:
    """Everybody who shows in some view needs their own consent, and whoever is protected is found in any."""

    class Two:
        def index(self, embedder: str) -> Any:
            index = type("Index", (), {"__len__": lambda _: 2, "uncovered": 0})()
            index.match = lambda vector, scale, purpose="": (
                IdentityMatch(0.9, "protected", "no") if vector[0] > 150 else IdentityMatch(0.9, "consented", "yes")
            )
            return index

    frame = np.full((80, 80, 4), 200, np.uint8)
    frame[::2, ::2, :3] -= 40  # not of one colour
    frame[40, 40, :3] = 200
    frame[..., 3] = 100
    check.detector, check.embedder, check._gallery = ByView(), Brightness(), Two()  # type: ignore[assignment]
    found = faces(check, ImageInput((frame,)))
    assert ("consented", "yes") in [(f["gallery"], f["consent"]) for f in found]
    assert ("protected", "no") in [(f["gallery"], f["consent"]) for f in found]


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery.sqlite", key=b"k" * 32, key_id="test")


@pytest.fixture
def knowing(embedded_models: None, gallery: Gallery) -> FaceCheck:
    return FaceCheck(CheckSettings(face_backend="embedded", gallery=gallery))


def test_a_person_with_consent_is_recognised_in_another_rendering(
    knowing: FaceCheck, gallery: Gallery, portrait: Any
) -> None:
    enrol(knowing, gallery, [portrait], list="consented")
    again = np.asarray(Image.fromarray(portrait).resize((420, 420)).convert("L").convert("RGB"))
    (face,) = faces(knowing, again)
    assert face["match"] > 0.5
    assert (face["gallery"], face["consent"]) == ("consented", "yes")


def test_consent_is_for_its_purposes_until_it_expires_or_is_revoked(
    knowing: FaceCheck, gallery: Gallery, portrait: Any
) -> None:
    identity = enrol(knowing, gallery, [portrait], list="consented", purposes=["studio"])
    assert faces(knowing, portrait, purpose="studio")[0]["consent"] == "yes"
    assert faces(knowing, portrait, purpose="advert")[0]["consent"] == "no"
    gallery.revoke(identity.id)
    assert faces(knowing, portrait, purpose="studio")[0]["consent"] == "unknown"
    # Enrolment itself takes a while on a busy machine, and refuses what has expired.
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
    enrol(knowing, gallery, [portrait], list="consented", expires=soon)
    while dt.datetime.now(dt.UTC) <= soon:
        time.sleep(0.05)
    assert faces(knowing, portrait)[0]["consent"] == "unknown"


def test_protection_wins_over_consent(knowing: FaceCheck, gallery: Gallery, portrait: Any) -> None:
    enrol(knowing, gallery, [portrait], list="consented")
    enrol(knowing, gallery, [portrait], list="protected")
    (face,) = faces(knowing, portrait)
    assert (face["gallery"], face["consent"]) == ("protected", "no")


def test_a_protected_person_is_recognised_in_a_drawing_like_picture_too(
    knowing: FaceCheck, gallery: Gallery, portrait: Any
) -> None:
    enrol(knowing, gallery, [portrait], list="protected")
    (face,) = faces(knowing, painted(Image.fromarray(portrait)))
    assert face["gallery"] == "protected"


def people(shared: Path, name: str) -> list[Path]:
    return sorted((shared / "data/images/faces").glob(f"{name}_*.jpg"))


def test_ones_own_photographs_match_and_other_peoples_do_not(
    knowing: FaceCheck, gallery: Gallery, shared: Path
) -> None:
    mine = people(shared, "colin_powell")
    enrol(knowing, gallery, mine[:3], list="consented")

    def consents(photos: list[Path]) -> list[bool]:
        return [any(f["consent"] == "yes" for f in faces(knowing, p)) for p in photos]

    assert sum(consents(mine[3:])) >= 5
    strangers = [p for name in ("ariel_sharon", "donald_rumsfeld") for p in people(shared, name)]
    assert not any(consents(strangers))


def test_enrolment_says_what_is_wrong_with_a_photograph(knowing: FaceCheck, gallery: Gallery, portrait: Any) -> None:
    two = np.concatenate([portrait, portrait], axis=1)
    tiny = np.asarray(Image.fromarray(portrait).resize((200, 200)))
    for photos, says in [
        ([], "at least one photograph"),
        ([np.full_like(portrait, 90)], "no face was found in photograph 1"),
        ([portrait, two], "photograph 2 shows several people"),
        ([tiny], "64 are needed"),
    ]:
        with pytest.raises(GalleryError, match=says):
            enrol(knowing, gallery, photos, list="consented")
    assert not gallery.identities()


def test_pictures_of_two_people_are_not_enrolled_as_one(knowing: FaceCheck, gallery: Gallery, shared: Path) -> None:
    with pytest.raises(GalleryError, match="do not look like one person"):
        enrol(knowing, gallery, [people(shared, n)[0] for n in ("colin_powell", "ariel_sharon")], list="protected")


def test_a_vector_that_is_not_finite_is_an_error(knowing: FaceCheck, gallery: Gallery, portrait: Any) -> None:
    enrol(knowing, gallery, [portrait], list="protected")
    knowing.embedder.embed = lambda image, found: np.full((len(found), 128), np.nan, np.float32)  # type: ignore[method-assign]
    with pytest.raises(CheckError, match="not finite"):
        faces(knowing, portrait)


# ---- covered


def test_a_face_is_recognised_as_it_was_and_not_when_it_is_covered(check: FaceCheck, portrait: Any) -> None:
    (region,) = seen(check, portrait).regions
    assert check.recognisable(portrait, portrait, region)
    assert check.recognisable(portrait, np.clip(portrait * 1.1, 0, 255).astype(np.uint8), region)
    x, y, w, h = (round(v) for v in region.box)
    bar = portrait.copy()
    bar[y + h // 4 : y + h // 2, x : x + w] = 0  # over the eyes: hides nobody
    assert check.recognisable(portrait, bar, region)
    covered = portrait.copy()
    covered[y - h // 4 : y + h + h // 4, x - w // 4 : x + w + w // 4] = 127
    assert not check.recognisable(portrait, covered, region)


def in_alpha(portrait: Any, colour: int) -> Any:
    """The portrait in the transparency alone of (H, W, 4) pixels of one colour: it shows over the other colour."""
    grey = np.asarray(Image.fromarray(portrait).convert("L"))
    alpha = grey if colour else 255 - grey
    return np.dstack([np.full_like(portrait, colour), alpha])


@pytest.mark.parametrize("colour", [0, 255])
def test_a_face_in_the_transparency_alone_is_told_until_that_is_covered(
    check: FaceCheck, portrait: Any, colour: int
) -> None:
    """Its colours are those of nobody before and after: they say nothing."""
    from guardrail.actions.cover import cover

    frame = in_alpha(portrait, colour)
    for region in seen(check, ImageInput((frame,))).regions:
        assert check.recognisable(frame, frame, region)
        other = frame.copy()
        other[..., :3] = abs(colour - 40)  # other colours, the same transparency
        assert check.recognisable(frame, other, region)
        assert not check.recognisable(frame, cover(frame, [region.box], "fill", 2), region)


def test_a_face_in_the_dark_is_told_until_it_is_covered(check: FaceCheck, portrait: Any) -> None:
    from guardrail.actions.cover import cover

    dark = np.rint(portrait * 0.012).astype(np.uint8)
    (region,) = seen(check, dark).regions
    assert check.recognisable(dark, dark, region)
    assert not check.recognisable(dark, cover(dark, [region.box], "fill", 2), region)


@pytest.mark.parametrize("make", [lambda p: in_alpha(p, 0), lambda p: np.rint(p * 0.012).astype(np.uint8)])
def test_a_guard_covers_faces_in_every_rendering(
    embedded_models: None, make_guard: Any, portrait: Any, make: Callable[[Any], Any]
) -> None:
    when = "{reference.faces: {any: {real: '>= 0'}}}"
    rules = f"rules: [{{id: cover, at: reference, when: {when}, then: {{blur: {{target: faces}}}}}}]\n"
    guard = make_guard(rules, face_backend="embedded")
    frame = make(portrait)
    decision = guard.check_image(Image.fromarray(frame))
    assert decision.action is Action.ALTER
    ((altered,),) = (a.pixels for a in decision.alterations)
    (check,) = (c for c in guard._parts.judge.runner.checks if c.name == "faces")
    regions = seen(check, ImageInput((frame,))).regions
    assert regions
    assert not any(check.recognisable(frame, altered, r) for r in regions)


def test_a_face_that_was_moved_a_little_is_still_found(check: FaceCheck, portrait: Any) -> None:
    (region,) = seen(check, portrait).regions
    assert check.recognisable(portrait, np.roll(portrait, 8, axis=1), region)


def test_a_region_of_another_check_is_refused(check: FaceCheck, portrait: Any) -> None:
    with pytest.raises(CheckError):
        check.recognisable(portrait, portrait, Region(0, 0, (0.0, 0.0, 9.0, 9.0), "face", 0.9))


@pytest.mark.parametrize("method", ["blur", "pixelate", "fill"])
def test_after_each_redaction_of_a_guard_nobody_is_recognised(
    embedded_models: None, make_guard: Any, portrait: Any, method: str
) -> None:
    rules = f"""
rules:
  - id: cover
    at: reference
    when: {{reference.faces: {{any: {{consent: [no, unknown]}}}}}}
    then: {{{method}: {{target: unconsented-faces}}}}
"""
    guard = make_guard(rules, face_backend="embedded")
    decision = guard.check_image(portrait)
    (done,) = decision.alterations
    assert (done.kind, done.status) == (method, "applied")
    (altered,) = done.pixels
    (check,) = (c for c in guard._parts.judge.runner.checks if c.name == "faces")
    (region,) = seen(check, portrait).regions
    assert not check.recognisable(portrait, altered, region)
    x, y, w, h = (round(v) for v in region.box)
    outside = np.ones(portrait.shape[:2], bool)
    outside[max(0, y - h // 2) : y + 2 * h, max(0, x - w // 2) : x + 2 * w] = False
    assert np.array_equal(altered[outside], portrait[outside])


# ---- backends


def test_an_insightface_pack_detects_and_recognises(pack: Path, gallery: Gallery, portrait: Any, capfd: Any) -> None:
    check = FaceCheck(CheckSettings(insightface_pack=str(pack), gallery=gallery))
    assert len(check.detector.detect(portrait)) == 1
    enrol(check, gallery, [portrait], list="consented")
    assert faces(check, portrait[:, ::-1])[0]["consent"] == "yes"
    assert set(check.effective().weights) == {"scrfd_2.5g_bnkps.onnx", "mobilefacenet_128d.onnx"}
    assert capfd.readouterr().out == ""


def test_yunet_finds_faces_for_the_recogniser_of_a_pack(pack: Path, yunet_file: Path, portrait: Any) -> None:
    check = FaceCheck(CheckSettings(face_backend="yunet", insightface_pack=str(pack)))
    assert check.detector.name == "yunet"
    assert check.embedder.name.startswith("insightface-")
    assert "non-commercial" in check.about()["licence"]
    (face,) = check.detector.detect(portrait)
    (mirrored,) = check.detector.detect(np.ascontiguousarray(portrait[:, ::-1]))
    (one,), (other,) = check.vectors(portrait, [face]), check.vectors(portrait[:, ::-1], [mirrored])
    assert float(np.linalg.norm(one - other)) < check.embedder.scale.consent


def test_vectors_of_different_embedders_are_never_compared(
    pack: Path, knowing: FaceCheck, gallery: Gallery, portrait: Any
) -> None:
    enrol(FaceCheck(CheckSettings(insightface_pack=str(pack), gallery=gallery)), gallery, [portrait], list="consented")
    assert faces(knowing, portrait)[0]["match"] == 0.0


def test_somebody_protected_without_a_vector_of_this_embedder_stops_every_face(
    knowing: FaceCheck, gallery: Gallery, portrait: Any
) -> None:
    """Another embedder finds nobody of those enrolled with this one: "no match" would be no answer."""
    other = gallery.enrol(np.eye(1, 4, dtype=np.float32), embedder="another", list="protected")
    with pytest.raises(CheckError, match=r"^1 protected people .* no vector of dlib-resnet-v1: add photographs"):
        faces(knowing, portrait)
    assert faces(knowing, np.full((256, 256, 3), 127, np.uint8)) == ()
    gallery.revoke(other.id)
    assert faces(knowing, portrait)[0]["gallery"] == "none"


def test_a_backend_that_is_not_there_is_refused_with_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path / "empty"))
    with pytest.raises(WeightsMissing, match="guardrail models pull embedded"):
        FaceCheck(CheckSettings(face_backend="embedded"))
    with pytest.raises(WeightsMissing, match="yunet"):
        FaceCheck(CheckSettings(face_backend="yunet"))
    with pytest.raises(ConfigurationError, match="no face backend is called 'best'"):
        FaceCheck(CheckSettings(face_backend="best"))
    with pytest.raises(ConfigurationError, match="insightface_pack="):
        FaceCheck(CheckSettings(face_backend="insightface"))


def test_a_model_file_that_was_changed_is_refused(
    embedded_models: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from guardrail.weights import CATALOGUE, find

    file = find("centerface")
    folder = tmp_path / "weights"
    folder.mkdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file.name).write_bytes(content)
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(folder))
    with pytest.raises(WeightsMismatch, match=CATALOGUE["centerface"].sha256[:12]):
        FaceCheck(CheckSettings(face_backend="embedded"))


# ---- distances to scores


def test_a_distance_at_the_threshold_is_half_a_match_whatever_the_embedder() -> None:
    scale = MatchScale(same=0.64, consent=0.55, margin=0.05, far=1.1)
    assert [round(scale.score(d), 6) for d in (0.0, 0.32, 0.64, 0.87, 1.1, 5.0)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    falling = [scale.score(d / 100) for d in range(130)]
    assert falling == sorted(falling, reverse=True)
    assert not scale.score(math.nan) >= 0.5
