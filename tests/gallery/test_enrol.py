"""From photographs to an entry: who is on them must be one person, alone, and large enough to be known again."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from guardrail.checks.base import CheckSettings
from guardrail.checks.image.backends.base import DetectedFace, MatchScale
from guardrail.checks.image.faces import FaceCheck
from guardrail.decision import Action
from guardrail.errors import GalleryConflict, GalleryError, InputError
from guardrail.gallery import Entry, Gallery
from guardrail.guard.conflicts import find_conflicts
from guardrail.guard.enrol import BACKGROUND, SMALLEST_FACE_PIXELS, add_photos, enrol
from guardrail.media import Context, Request
from guardrail.media.read import read_image
from guardrail.signals import Stage

Box = tuple[float, float, float, float]
ALONE: Box = (100, 100, 80, 90)


# Of a face that looks at the camera, as shares of its box.
FRONT = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]])


def photos(count: int, channels: int = 3) -> list[Any]:
    """Noise, which is sharp all over; the first pixel says which one it is."""
    made = np.random.default_rng(5).integers(0, 256, (count, 300, 300, channels)).astype(np.uint8)
    made[:, 0, 0] = 50 * np.arange(1, count + 1)[:, None]
    return list(made)


def number_of(photo: Any) -> int:
    return int(photo[0, 0, 0]) // 50 - 1


class Scripted:
    """Faces and vectors that a test writes down: `seen` has the boxes for each photograph, told apart by their grey."""

    name = "scripted"
    weights: Mapping[str, str] = {}

    class embedder:
        name = "scripted-v1"
        scale = MatchScale(same=0.5, consent=0.4, margin=0.05, far=1.0)

    def __init__(self, *seen: Sequence[Box], at: Sequence[float] = ()) -> None:
        self.detector = self
        self.seen = seen
        self.at = at or [0.0] * len(seen)
        self.embedded: list[tuple[int, Box]] = []
        self.shape = FRONT

    def detect(self, image: Any) -> list[DetectedFace]:
        assert image.shape[2] == 3
        return [DetectedFace(box, 0.9, self.points(box)) for box in self.seen[number_of(image)]]

    def points(self, box: Box) -> Any:
        return (np.array(box[:2]) + self.shape * np.array(box[2:])).astype(np.float32)

    def vectors(self, image: Any, faces: Sequence[DetectedFace]) -> Any:
        number = number_of(image)
        self.embedded += [(number, f.box) for f in faces]
        return np.array([[1.0, self.at[number]] for _ in faces], np.float32)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery.sqlite", key=b"k" * 32, key_id="test")


def test_one_vector_for_each_photograph(gallery: Gallery) -> None:
    faces = Scripted([ALONE], [ALONE], at=[0.0, 0.4])
    identity = enrol(faces, gallery, photos(2), list="consented", label="a", purposes=["studio"])
    assert gallery.identities() == (identity,)
    assert (identity.list, identity.label, identity.purposes) == ("consented", "a", ("studio",))
    assert identity.embedders == ("scripted-v1",)
    assert gallery.index("scripted-v1").vectors[:, 1] == pytest.approx([0.0, 0.4])


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ([[]], "no face was found in photograph 1"),
        ([[ALONE], []], "no face was found in photograph 2"),
        ([[ALONE, ALONE]], "photograph 1 shows several people; crop it to the one to enrol"),
        ([[ALONE], [ALONE], [(0, 0, 33, 40), ALONE]], "photograph 3 shows several people"),
        ([[ALONE, (0, 0, 10, 10), (200, 0, 70, 70)]], "photograph 1 shows several people"),
        ([[(0, 0, 63.4, 90)]], "the face in photograph 1 is 63 pixels, 64 are needed for a sure match"),
        ([[(0, 0, 90, 50)]], "is 50 pixels"),
        ([[ALONE], [(0, 0, 30, 30)]], "the face in photograph 2 is 30 pixels"),
    ],
)
def test_what_is_wrong_with_a_photograph(gallery: Gallery, boxes: list[list[Box]], says: str) -> None:
    with pytest.raises(GalleryError, match=says):
        enrol(Scripted(*boxes), gallery, photos(len(boxes)), list="protected")
    assert gallery.identities() == ()


def test_photographs_are_called_as_their_names_say(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match=r"^b\.png shows several people"):
        enrol(Scripted([ALONE], [ALONE, ALONE]), gallery, photos(2), list="protected", names=["a.png", "b.png"])
    with pytest.raises(InputError, match=r"^a\.png cannot be read"):
        enrol(Scripted([ALONE]), gallery, ["nowhere"], list="protected", names=["a.png"])
    known = enrol(Scripted([ALONE]), gallery, photos(1), list="protected").id
    with pytest.raises(GalleryError, match=r"^no face was found in a\.png"):
        add_photos(Scripted([]), gallery, known, photos(1), names=["a.png"])


@pytest.mark.parametrize(
    "boxes",
    [
        [ALONE, (0, 0, 80 * BACKGROUND, 36)],
        [(0, 0, 20, 20), ALONE, (200, 200, 30, 30)],
        [(0, 0, SMALLEST_FACE_PIXELS, SMALLEST_FACE_PIXELS)],
        [(-30, -30, 200, 200)],
    ],
    ids=["behind", "two-behind", "just-large-enough", "over-the-edge"],
)
def test_the_largest_face_is_enrolled(gallery: Gallery, boxes: list[Box]) -> None:
    faces = Scripted(boxes)
    enrol(faces, gallery, photos(1), list="protected")
    assert faces.embedded == [(0, max(boxes, key=lambda b: b[2] * b[3]))]


@pytest.mark.parametrize(
    ("at", "one_person"),
    [
        ([0.0, 0.5], True),
        ([0.0, 0.5001], False),
        ([0.0, 0.3, 0.6], False),
        ([0.0, 0.9, 0.0], False),
        ([0.0, 0.0, 0.0, 0.9], False),
    ],
)
def test_the_photographs_show_one_person(gallery: Gallery, at: list[float], one_person: bool) -> None:
    faces = Scripted(*[[ALONE]] * len(at), at=at)
    if one_person:
        enrol(faces, gallery, photos(len(at)), list="consented")
        return
    with pytest.raises(GalleryError, match="do not look like one person"):
        enrol(faces, gallery, photos(len(at)), list="consented")
    assert gallery.identities() == ()


@pytest.mark.parametrize("at", [[float("nan")], [0.0, float("nan")], [float("inf")]])
@pytest.mark.filterwarnings("ignore:invalid value encountered in subtract")
def test_a_model_that_gives_nonsense_enrols_nobody(gallery: Gallery, at: list[float]) -> None:
    # NaN is not farther apart than the threshold: the distance between the photographs alone would admit it.
    with pytest.raises(GalleryError, match="no usable face vector"):
        enrol(Scripted(*[[ALONE]] * len(at), at=at), gallery, photos(len(at)), list="consented")
    assert gallery.identities() == ()


LOOKING: dict[str, tuple[int, tuple[float, float]]] = {
    # which point, and where it is instead
    "the nose over an eye": (2, (0.3, 0.6)),
    "the nose beside the face": (2, (0.95, 0.6)),
    "the nose at the eyes": (2, (0.5, 0.45)),
    "the nose at the mouth": (2, (0.5, 0.74)),
    "the eyes on one another": (1, (0.4, 0.4)),
    "no place at all": (2, (float("nan"), 0.6)),
}


@pytest.mark.parametrize("name", LOOKING)
def test_a_face_that_is_turned_away(gallery: Gallery, name: str) -> None:
    faces = Scripted([ALONE])
    faces.shape = FRONT.copy()
    point, place = LOOKING[name]
    faces.shape[point] = place
    with pytest.raises(GalleryError, match="photograph 1 is turned away; take a picture in which"):
        enrol(faces, gallery, photos(1), list="protected")
    assert gallery.identities() == ()


@pytest.mark.parametrize("angle", [-120, -40, 20, 90, 180])
def test_a_face_on_its_side_is_not_turned_away(gallery: Gallery, angle: float) -> None:
    faces = Scripted([(100, 100, 90, 90)])
    turn = np.deg2rad(angle)
    faces.shape = (FRONT - 0.5) @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) + 0.5
    enrol(faces, gallery, photos(1), list="protected")
    assert len(gallery.identities()) == 1


@pytest.mark.parametrize(("sigma", "sharp"), [(0, True), (0.4, True), (3, False), (8, False), (60, False)])
def test_a_blurred_face(gallery: Gallery, sigma: float, sharp: bool) -> None:
    """A drawn face of 112 pixels, blurred by so many of them."""
    drawing = Image.new("RGB", (300, 300), (90, 90, 90))
    pen = ImageDraw.Draw(drawing)
    pen.ellipse((104, 100, 208, 212), fill=(220, 180, 160))
    for box in ((122, 136, 144, 150), (168, 136, 190, 150), (136, 180, 176, 192)):
        pen.ellipse(box, fill=(30, 20, 20))
    blurred = np.array(drawing.filter(ImageFilter.GaussianBlur(sigma)))
    blurred[0, 0] = 50
    faces = Scripted([(100, 100, 112, 112)])
    if sharp:
        enrol(faces, gallery, [blurred], list="protected")
        return
    with pytest.raises(GalleryError, match="photograph 1 is blurred; take a sharper picture"):
        enrol(faces, gallery, [blurred], list="protected")


@pytest.mark.parametrize("grey", [0, 127, 255])
def test_a_face_with_nothing_in_it_is_blurred(gallery: Gallery, grey: int) -> None:
    flat = np.full((300, 300, 3), grey, np.uint8)
    flat[0, 0] = 50
    with pytest.raises(GalleryError, match="is blurred"):
        enrol(Scripted([ALONE]), gallery, [flat], list="protected")


def test_who_attests_what_is_kept(gallery: Gallery) -> None:
    faces = Scripted([ALONE], [ALONE])
    one = enrol(faces, gallery, photos(1), list="consented", evidence="form 12", attested_by="Kim")
    more = add_photos(faces, gallery, one.id, [photos(2)[1]], evidence="form 13", attested_by="Bo")
    assert gallery.vectors(one.id, "scripted-v1").shape == (2, 2)
    assert [(a.what, a.by, a.evidence) for a in more.attested] == [
        ("enrolled", "Kim", "form 12"),
        ("pictures", "Bo", "form 13"),
    ]


# ---- who is enrolled already


def at(gallery: Gallery, place: float, list: Any) -> str:
    return gallery.enrol(np.array([[1.0, place]], np.float32), embedder="scripted-v1", list=list).id


@pytest.mark.parametrize(
    ("enrolled", "place", "list", "kinds"),
    [
        # 0.5 is the threshold; the new face stands at 0.
        ("consented", 0.5, "consented", ["duplicate"]),
        ("consented", 0.51, "consented", []),
        ("protected", 0.2, "protected", ["duplicate"]),
        ("protected", 0.5, "consented", ["protected"]),
        ("protected", 0.51, "consented", []),
    ],
)
def test_a_face_that_is_enrolled_already(
    gallery: Gallery, enrolled: str, place: float, list: Any, kinds: list[str]
) -> None:
    known = at(gallery, place, enrolled)
    if not kinds:
        enrol(Scripted([ALONE]), gallery, photos(1), list=list)
        return
    with pytest.raises(GalleryConflict, match=known) as caught:
        enrol(Scripted([ALONE]), gallery, photos(1), list=list)
    assert [(c.kind, c.identity) for c in caught.value.conflicts] == [(kind, known) for kind in kinds]
    assert [i.id for i in gallery.identities()] == [known]


def test_all_conflicts_are_named_nearest_first(gallery: Gallery) -> None:
    far, near, guarded = at(gallery, 0.4, "consented"), at(gallery, 0.1, "consented"), at(gallery, 0.3, "protected")
    with pytest.raises(GalleryConflict) as caught:
        enrol(Scripted([ALONE]), gallery, photos(1), list="consented")
    found = [(c.kind, c.identity) for c in caught.value.conflicts]
    assert found == [("duplicate", near), ("protected", guarded), ("duplicate", far)]


def test_twins_are_enrolled_when_somebody_says_so(gallery: Gallery) -> None:
    twin, other = at(gallery, 0.1, "consented"), at(gallery, 0.2, "consented")
    with pytest.raises(GalleryConflict, match=other):
        enrol(Scripted([ALONE]), gallery, photos(1), list="consented", accept=[twin])
    enrol(Scripted([ALONE]), gallery, photos(1), list="consented", accept=[twin, other])
    assert len(gallery.identities()) == 3


def test_no_leave_makes_a_consent_of_somebody_who_is_protected(gallery: Gallery) -> None:
    guarded = at(gallery, 0.1, "protected")
    with pytest.raises(GalleryConflict, match="protection wins"):
        enrol(Scripted([ALONE]), gallery, photos(1), list="consented", accept=[guarded])


def test_a_protection_overrules_a_consent_and_says_so(gallery: Gallery) -> None:
    agreed = at(gallery, 0.1, "consented")
    one = enrol(Scripted([ALONE]), gallery, photos(1), list="protected")
    index, scale = gallery.index("scripted-v1"), Scripted.embedder.scale
    mine = gallery.vectors(one.id, "scripted-v1")
    (conflict,) = find_conflicts(index, mine, scale, list="protected", besides=[one.id])
    assert (conflict.kind, conflict.identity) == ("consented", agreed)
    assert "from now on protection wins" in conflict.describe()
    assert index.match(np.array([1.0, 0.1], np.float32), scale).gallery == "protected"


def test_vectors_of_another_embedder_are_no_conflict(gallery: Gallery) -> None:
    gallery.enrol(np.array([[1.0, 0.0]], np.float32), embedder="other", list="protected")
    enrol(Scripted([ALONE]), gallery, photos(1), list="consented")
    assert len(gallery.identities()) == 2


@pytest.mark.parametrize(("place", "conflict"), [(0.31, True), (0.5, True), (0.51, False)])
def test_a_conflict_is_as_near_as_two_pictures_of_one_person_however_many_are_enrolled(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, place: float, conflict: bool
) -> None:
    """The threshold of a search is 0.3 here: whoever is protected at 0.31 would be missed."""
    many = MatchScale(same=0.5, consent=0.4, margin=0.05, far=1.0, rates=((1e-3, 0.3), (1e-2, 0.5)))
    monkeypatch.setattr(Scripted.embedder, "scale", many)
    rows = [Entry(np.array([[1.0, 10.0 + n]], np.float32), "protected") for n in range(99)]
    gallery.enrol_many(rows, embedder="scripted-v1")
    known = at(gallery, place, "protected")
    assert gallery.index("scripted-v1").thresholds(many).protect == 0.3
    if not conflict:
        enrol(Scripted([ALONE]), gallery, photos(1), list="consented")
        return
    # Somebody has to look at the two, and says so by accepting it.
    with pytest.raises(GalleryConflict, match=f"may be somebody on the protected list, {known}"):
        enrol(Scripted([ALONE]), gallery, photos(1), list="consented")
    one = at(gallery, -0.3, "consented")
    with pytest.raises(GalleryConflict, match=known):
        add_photos(Scripted([ALONE]), gallery, one, photos(1))
    assert len(gallery.identities()) == 101
    accepted = enrol(Scripted([ALONE]), gallery, photos(1), list="consented", accept=[known, one])
    assert gallery.identity(accepted.id).list == "consented"


def test_whom_a_search_finds_on_the_protected_list_nobody_accepts_away(gallery: Gallery) -> None:
    known = at(gallery, 0.2, "protected")
    with pytest.raises(GalleryConflict, match="this consent would never hold"):
        enrol(Scripted([ALONE]), gallery, photos(1), list="consented", accept=[known])


class Overtaken(Gallery):
    """Whenever somebody is about to be written, another process was a moment faster."""

    def meanwhile(self) -> None:
        at(Gallery(self.path, key=b"k" * 32, key_id="test"), 0.2, "protected")

    def enrol(self, *args: Any, **options: Any) -> Any:
        self.meanwhile()
        return super().enrol(*args, **options)

    def add_pictures(self, *args: Any, **options: Any) -> Any:
        self.meanwhile()
        return super().add_pictures(*args, **options)


@pytest.mark.parametrize("verb", ["enrol", "add_photos"])
def test_who_was_enrolled_in_the_meantime_is_a_conflict_too(tmp_path: Path, verb: str) -> None:
    gallery = Overtaken(tmp_path / "gallery.sqlite", key=b"k" * 32, key_id="test")
    one = at(Gallery(gallery.path, key=b"k" * 32, key_id="test"), -0.4, "consented") if verb == "add_photos" else ""
    attempts = {
        "enrol": lambda: enrol(Scripted([ALONE]), gallery, photos(1), list="consented"),
        "add_photos": lambda: add_photos(Scripted([ALONE]), gallery, one, photos(1)),
    }
    with pytest.raises(GalleryConflict, match="on the protected list already"):
        attempts[verb]()
    found = gallery.identities()
    assert [i.list for i in found if i.id != one] == ["protected"]
    assert gallery.index("scripted-v1").vectors.shape[0] == len(found)


def test_of_two_who_enrol_the_same_face_at_once_one_is_told(gallery: Gallery) -> None:
    start, told = threading.Barrier(4), []

    def run() -> None:
        mine = Gallery(gallery.path, key=b"k" * 32, key_id="test")
        start.wait()
        try:
            enrol(Scripted([ALONE]), mine, photos(1), list="consented")
        except GalleryConflict as conflict:
            told.append(conflict)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(gallery.identities()), len(told)) == (1, 3)


# ---- more pictures of somebody


def test_more_pictures_show_the_same_person(gallery: Gallery) -> None:
    faces = Scripted([ALONE], [ALONE], [ALONE], at=[0.0, 0.4, 0.9])
    first, second, third = photos(3)
    one = enrol(faces, gallery, [first], list="consented")
    with pytest.raises(GalleryError, match=f"do not look like {one.id}"):
        add_photos(faces, gallery, one.id, [third])
    add_photos(faces, gallery, one.id, [second])
    # Nearer to one of the pictures than the threshold is near enough.
    add_photos(faces, gallery, one.id, [third])
    assert gallery.vectors(one.id, "scripted-v1")[:, 1] == pytest.approx([0.0, 0.4, 0.9])


def test_more_pictures_are_not_those_of_somebody_else(gallery: Gallery) -> None:
    one, other = at(gallery, 0.0, "consented"), at(gallery, 0.8, "consented")
    faces = Scripted([ALONE], at=[0.45])
    with pytest.raises(GalleryConflict, match=other):
        add_photos(faces, gallery, one, photos(1))
    add_photos(faces, gallery, one, photos(1), accept=[other])
    assert len(gallery.vectors(one, "scripted-v1")) == 2


def test_pictures_that_nobody_can_compare_need_somebody_who_attests_them(gallery: Gallery) -> None:
    one = gallery.enrol(np.ones((1, 8), np.float32), embedder="other", list="consented").id
    with pytest.raises(GalleryError, match="no pictures of the embedder scripted-v1 to compare with"):
        add_photos(Scripted([ALONE]), gallery, one, photos(1))
    added = add_photos(Scripted([ALONE]), gallery, one, photos(1), attested_by="Kim")
    assert added.embedders == ("other", "scripted-v1")


def test_no_pictures_are_added_to_nobody_or_to_somebody_revoked(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="no identity"):
        add_photos(Scripted([ALONE]), gallery, "0" * 16, photos(1))
    one = at(gallery, 0.0, "consented")
    gallery.revoke(one)
    with pytest.raises(GalleryError, match="revoked and its vectors are gone"):
        add_photos(Scripted([ALONE]), gallery, one, photos(1), attested_by="Kim")


def test_no_photographs_at_all(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="give at least one photograph"):
        enrol(Scripted(), gallery, [], list="protected")


def test_transparency_is_no_colour(gallery: Gallery) -> None:
    enrol(Scripted([ALONE]), gallery, photos(1, channels=4), list="protected")
    assert len(gallery.identities()) == 1


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_cannot_be_read(gallery: Gallery, tmp_path: Path, content: bytes | None) -> None:
    bad = tmp_path / "bad.png"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(InputError):
        enrol(Scripted([ALONE]), gallery, [photos(1)[0], bad], list="protected")
    assert gallery.identities() == ()


def test_one_of_three_photographs_is_cut_off(gallery: Gallery, tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.fromarray(photos(1)[0]).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:-60])
    with pytest.raises(InputError):
        enrol(Scripted([ALONE]), gallery, [whole, tmp_path / "cut.png", whole], list="protected")
    assert gallery.identities() == ()


# ---- with the embedded models and real photographs


@pytest.fixture(scope="module")
def model() -> list[FaceCheck]:
    return []


@pytest.fixture
def knowing(embedded_models: None, gallery: Gallery, model: list[FaceCheck]) -> FaceCheck:
    """A face check that asks this test's gallery; its models are loaded once."""
    if not model:
        model.append(FaceCheck(CheckSettings(face_backend="embedded")))
    model[0]._gallery = gallery
    return model[0]


@pytest.fixture
def pictures(shared: Path) -> Path:
    return shared / "data" / "images"


def verdicts(check: FaceCheck, picture: Any, purpose: str = "") -> list[tuple[Any, Any]]:
    """List and consent of each face, from left to right."""
    request = Request(images=(read_image(picture),), context=Context(purpose))
    (found,) = check.check([request], Stage.REFERENCE)
    regions = sorted(found.regions, key=lambda r: r.box[0])  # type: ignore[union-attr]
    return [(r.fields["gallery"], r.fields["consent"]) for r in regions]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["nofaces/bsds_10081.jpg"], "no face was found in photograph 1"),
        (["faces/fr_two_people.jpg"], "photograph 1 shows several people"),
        (["faces/fr_obama.jpg", "faces/fr_obama_and_biden.jpg"], "photograph 2 shows several people"),
        (["faces/fr_obama-240p.jpg"], "the face in photograph 1 is 50 pixels"),
        (["faces/fr_obama.jpg", "faces/fr_biden.jpg"], "do not look like one person"),
        (["faces/colin_powell_0001.jpg", "faces/ariel_sharon_0001.jpg"], "do not look like one person"),
    ],
)
def test_photographs_that_enrol_nobody(
    knowing: FaceCheck, gallery: Gallery, pictures: Path, names: list[str], says: str
) -> None:
    with pytest.raises(GalleryError, match=says):
        enrol(knowing, gallery, [pictures / n for n in names], list="protected")
    assert gallery.identities() == ()


def test_every_face_in_the_picture_needs_its_own_consent(knowing: FaceCheck, gallery: Gallery, pictures: Path) -> None:
    faces = pictures / "faces"
    # A third person stands further down.
    both = np.array(Image.open(faces / "fr_obama_and_biden.jpg"))[:1000]
    assert verdicts(knowing, both) == [("none", "unknown")] * 2
    one = enrol(knowing, gallery, [faces / "fr_obama.jpg", faces / "fr_obama2.jpg"], list="consented")
    assert sorted(verdicts(knowing, both)) == [("consented", "yes"), ("none", "unknown")]
    enrol(knowing, gallery, [faces / "fr_biden.jpg"], list="protected")
    assert sorted(verdicts(knowing, both)) == [("consented", "yes"), ("protected", "no")]
    gallery.revoke(one.id)
    assert sorted(verdicts(knowing, both)) == [("none", "unknown"), ("protected", "no")]


def test_the_portrait_of_the_installed_package(knowing: FaceCheck, gallery: Gallery, tmp_path: Path) -> None:
    portrait = np.ascontiguousarray(pytest.importorskip("skimage.data").astronaut())
    file = tmp_path / "portrait.jpg"
    Image.fromarray(portrait).save(file, quality=90)
    identity = enrol(knowing, gallery, [file, portrait], list="consented", purposes=["studio"])
    assert identity.embedders == (knowing.embedder.name,)
    assert gallery.index(knowing.embedder.name).vectors.shape == (2, knowing.embedder.dimension)
    assert verdicts(knowing, file, "studio") == [("consented", "yes")]
    assert verdicts(knowing, file) == [("consented", "no")]


def test_a_gallery_that_was_changed_is_a_block_and_never_a_stranger(
    embedded_models: None, make_guard: Any, tmp_path: Path
) -> None:
    portrait = np.ascontiguousarray(pytest.importorskip("skimage.data").astronaut())
    guard = make_guard(
        "rules: [{id: known, at: reference, when: {reference.faces: {any: {gallery: protected}}}, then: block}]",
        gallery=tmp_path / "faces.sqlite",
        face_backend="embedded",
    )
    assert guard.check_image(portrait).action is Action.ALLOW
    with sqlite3.connect(tmp_path / "faces.sqlite") as db:
        db.execute("UPDATE seal SET changes = 7")
    db.close()
    refused = guard.check_image(portrait)
    assert refused.blocked
    assert ("check-failed", "faces") in [(c.what, c.argument) for c in refused.coverage]
