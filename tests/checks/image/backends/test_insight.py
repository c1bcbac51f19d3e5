"""insightface packs: pinned, never downloaded, every failure named, colours in the right order."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.backends.base import DetectedFace
from guardrail.errors import CheckError, MissingExtra, WeightsError, WeightsMismatch, WeightsMissing
from guardrail.weights.pins import pin

MARKS = np.array([[205, 110], [243, 107], [227, 131], [211, 151], [245, 148]], np.float32)
FACE = DetectedFace((178.0, 70.0, 90.0, 115.0), 0.95, MARKS)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every way out is closed, and written down."""
    tried: list[str] = []

    def refuse(*where: Any, **options: Any) -> Any:
        tried.append(repr(where))
        raise OSError("the network is closed in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    requests = pytest.importorskip("requests")
    monkeypatch.setattr(requests, "get", refuse)
    return tried


def loaded(folder: Any) -> Any:
    from guardrail.checks.image.backends.insight import InsightFacePack

    return InsightFacePack(folder)


def test_a_pack_loads_looks_and_embeds_without_the_network(
    pack: Path, no_network: list[str], portrait: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    made = loaded(pack)
    (face,) = [f for f in made.candidates(portrait) if f.score > 0.5]
    assert made.embed(portrait, [face]).shape == (1, 128)
    assert no_network == []
    assert capfd.readouterr().out == ""
    assert set(made.weights) == {"scrfd_2.5g_bnkps.onnx", "mobilefacenet_128d.onnx"}
    assert "stated by the user: non-commercial" in made.licence
    assert "no signed licence" in made.licence


def test_a_pack_with_a_manifest_of_the_library_is_loaded_by_it(pack: Path, portrait: Any) -> None:
    tasks = {
        "detection": {"file": "scrfd_2.5g_bnkps.onnx"},
        "recognition": {"file": "mobilefacenet_128d.onnx", "embedding_dimension": 128},
    }
    own = {"manifest_version": 2, "model_id": "mine", "license": "MODEL.LICENSE", "tasks": tasks}
    (pack / "manifest.json").write_text(json.dumps(own))
    pin(pack)
    made = loaded(pack)
    assert made.dimension == 128
    assert [f for f in made.candidates(portrait) if f.score > 0.5]
    assert set(made.weights) == {"scrfd_2.5g_bnkps.onnx", "mobilefacenet_128d.onnx", "manifest.json"}


def remove(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        pin(folder)

    return change


def spoil(folder: Path) -> None:
    (folder / "scrfd_2.5g_bnkps.onnx").write_bytes(b"not a model")
    pin(folder)


def misroute(folder: Path) -> None:
    """YuNet has twelve outputs: the library takes it for an SCRFD, of which it has neither anchors nor landmarks."""
    (folder / "scrfd_2.5g_bnkps.onnx").unlink()
    shutil.copy(SHARED / "models/face_detection_yunet_2023mar.onnx", folder / "a.onnx")
    pin(folder)


def nest(folder: Path) -> None:
    """As some published archives unpack."""
    inner = folder / folder.name
    inner.mkdir()
    for file in folder.glob("*.onnx"):
        file.rename(inner / file.name)
    pin(folder)


def own_manifest(folder: Path) -> None:
    """The library's own manifest says what the files are for: it counts as much as they do."""
    (folder / "manifest.json").write_text("{}")


SHARED = Path(__file__).resolve().parents[5] / "shared"


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda f: (f / "guardrail-pack.json").unlink(), WeightsMissing, "guardrail models pin"),
        (lambda f: (f / "mobilefacenet_128d.onnx").write_bytes(b"other"), WeightsMismatch, "was pinned"),
        (lambda f: shutil.copy(f / "mobilefacenet_128d.onnx", f / "a.onnx"), WeightsMismatch, "not in the manifest"),
        (remove("mobilefacenet_128d.onnx"), WeightsMissing, "has no recognition model"),
        (remove("scrfd_2.5g_bnkps.onnx"), WeightsMissing, "finds no detection model"),
        (spoil, WeightsError, "cannot load the pack"),
        (nest, WeightsMissing, "only in folders inside it"),
        (own_manifest, WeightsMismatch, "manifest.json is not in the manifest"),
        (misroute, WeightsError, "cannot load the pack|gives no landmarks"),
        (lambda f: shutil.rmtree(f), WeightsMissing, "is not a folder"),
        (lambda f: [p.unlink() for p in f.glob("*.onnx")], WeightsMissing, r"has no \.onnx files|which its manifest"),
    ],
    ids=[
        "not pinned",
        "changed",
        "added",
        "no recogniser",
        "no detector",
        "no model",
        "nested",
        "own manifest",
        "yunet",
        "gone",
        "empty",
    ],
)
def test_each_way_in_which_a_pack_can_be_wrong_has_a_name_and_asks_nobody(
    pack: Path, no_network: list[str], change: Callable[[Path], Any], error: type[WeightsError], says: str
) -> None:
    change(pack)
    with pytest.raises(error, match=says):
        loaded(pack)
    assert no_network == []


@pytest.mark.parametrize("name", ["buffalo_l", "antelopev2", "packs/mine", "", "."])
def test_a_name_is_no_folder(name: str, no_network: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of that name in the current one would win over the library's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "buffalo_l").mkdir()
    with pytest.raises(WeightsError, match="by the absolute path"):
        loaded(name)
    assert no_network == []


def test_without_a_cv2_that_loads_the_mend_is_said(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import guardrail.checks.image.backends.insight as module

    monkeypatch.setattr(module, "opencv_fault", lambda: "cv2 cannot be loaded: libGL.so.1 is not on this machine")
    with pytest.raises(MissingExtra, match=r"libGL\.so\.1 is not on this machine"):
        loaded(pack)


def test_what_fails_while_it_runs_is_an_error_of_the_check(pack: Path, portrait: Any) -> None:
    made = loaded(pack)

    def fails(*arguments: Any, **options: Any) -> Any:
        raise ZeroDivisionError

    made._detector.detect = fails
    made._recogniser.get_feat = fails
    with pytest.raises(CheckError, match="could not detect a face: ZeroDivisionError"):
        made.candidates(portrait)
    with pytest.raises(CheckError, match="could not embed a face: ZeroDivisionError"):
        made.embed(portrait, [FACE])


def test_numbers_that_are_none_are_an_error(pack: Path, portrait: Any) -> None:
    made = loaded(pack)
    made._detector.detect = lambda *a, **o: (np.full((1, 5), np.nan, np.float32), np.zeros((1, 5, 2), np.float32))
    made._recogniser.get_feat = lambda crops: np.full((1, 128), np.inf, np.float32)
    for call in (lambda: made.candidates(portrait), lambda: made.embed(portrait, [FACE])):
        with pytest.raises(CheckError, match="not finite"):
            call()


def test_the_colours_reach_the_recogniser_in_the_right_order(pack: Path, portrait: Any) -> None:
    """Against the model run by itself: RGB, (x − 127.5) / 127.5. A slip costs little, and so would hide."""
    import onnxruntime as ort

    from guardrail.checks.image.backends.align import align_112

    crop = align_112(portrait, MARKS).astype(np.float32)
    session = ort.InferenceSession(str(pack / "mobilefacenet_128d.onnx"), providers=["CPUExecutionProvider"])

    def once(pixels: Any) -> Any:
        given = np.ascontiguousarray(np.moveaxis((pixels - 127.5) / 127.5, -1, 0)[None])
        (out,) = session.run(None, {session.get_inputs()[0].name: given.astype(np.float32)})
        return out.ravel() / np.linalg.norm(out)

    def by_itself(pixels: Any) -> Any:
        both = once(pixels) + once(pixels[:, ::-1])
        return both / np.linalg.norm(both)

    (vector,) = loaded(pack).embed(portrait, [FACE])
    assert float(vector @ by_itself(crop)) > 0.9999
    assert float(vector @ by_itself(crop[..., ::-1])) < 0.99


def test_a_face_and_its_mirror_image_have_one_vector(pack: Path, portrait: Any) -> None:
    mirrored = np.array([511, 0], np.float32) + MARKS[[1, 0, 2, 4, 3]] * np.array([-1, 1], np.float32)
    other = DetectedFace((511 - 178.0 - 90, 70.0, 90.0, 115.0), 0.95, mirrored)
    made = loaded(pack)
    (vector,) = made.embed(portrait, [FACE])
    (again,) = made.embed(np.ascontiguousarray(portrait[:, ::-1]), [other])
    assert float(vector @ again) > 0.98


def test_alone_or_among_others_a_face_has_one_vector(pack: Path, portrait: Any) -> None:
    made = loaded(pack)
    other = DetectedFace(FACE.box, 0.9, MARKS + np.float32(40))
    together = made.embed(portrait, [FACE, other])
    assert np.array_equal(together[0], made.embed(portrait, [FACE])[0])
    assert made.embed(portrait, []).shape == (0, 128)
