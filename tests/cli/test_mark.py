"""`guardrail mark`: what is written reads back, what was there stays, and what cannot be marked is named."""

from __future__ import annotations

import hashlib
import io
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import guardrail.marks.marking_files as marking_files
from guardrail.errors import MarkError
from guardrail.keys import load_keyring
from guardrail.marks.files import encode_image
from guardrail.marks.marking_files import FileMarker
from guardrail.marks.registry import Registry
from guardrail.marks.stack import MarkStack
from guardrail.marks.verify import verify_image
from tests.cli.said import Run, running
from tests.marks.conftest import LABEL, drawing


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "mark")


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(drawing(256, 288))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def saved(path: Path, image: Image.Image, **params: object) -> Path:
    image.save(path, **params)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.avif"])
def test_a_marked_file_reads_back_with_every_layer(
    run: Run, picture: Image.Image, tmp_path: Path, out: Path, name: str
) -> None:
    source = saved(tmp_path / name, picture, quality=95)
    before = source.read_bytes()
    said = run(source, "--out", out, "--system", "a generator", "--provider", "Example", "--json")
    assert said.code == 0
    (row,) = said.json
    content = (out / name).read_bytes()
    found = verify_image(content, load_keyring(), search=False)
    assert found.mark_id == row["mark_id"] != ""
    assert found.summary.startswith("AI-generated, says the watermark and metadata")
    says = {layer.name: layer.says for layer in found.layers}
    assert says["metadata"]["Iptc4xmpExt:AISystemUsed"] == "a generator"
    assert says["metadata"]["Iptc4xmpExt:DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert says["AIGC field"]["ContentProducer"] == "Example"
    with Image.open(io.BytesIO(content)) as marked:
        error = np.asarray(marked.convert("RGB"), float) - np.asarray(picture, float)
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 30
    assert source.read_bytes() == before


def test_no_two_pictures_have_one_mark(run: Run, picture: Image.Image, tmp_path: Path) -> None:
    source = saved(tmp_path / "a.png", picture)
    ids = {run(source, "--out", tmp_path / str(n), "--json").json[0]["mark_id"] for n in range(2)}
    assert len(ids) == 2


def test_transparency_grey_turn_and_metadata_are_kept(
    run: Run, picture: Image.Image, tmp_path: Path, out: Path
) -> None:
    clear = picture.copy()
    clear.putalpha(Image.radial_gradient("L").resize(picture.size))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    files = [
        saved(tmp_path / "clear.png", clear),
        saved(tmp_path / "grey.png", picture.convert("L")),
        saved(tmp_path / "turned.jpg", picture, exif=exif, quality=95),
    ]
    assert run(*files, "--out", out).code == 0
    with Image.open(out / "clear.png") as marked:
        assert (np.asarray(marked)[..., 3] == np.asarray(clear)[..., 3]).all()
    with Image.open(out / "grey.png") as marked:
        assert marked.mode == "L"
    with Image.open(out / "turned.jpg") as marked:
        assert marked.size == (picture.height, picture.width)  # upright now
        assert marked.getexif().get(0x0112, 1) == 1
        assert marked.getexif()[0x010F] == "A camera"


def test_the_registry_has_what_was_written(
    run: Run, picture: Image.Image, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, registry = saved(tmp_path / "a.png", picture), tmp_path / "r.sqlite"
    (row,) = run(source, "--out", out, "--registry", registry, "--system", "g", "--json").json
    content = (out / "a.png").read_bytes()
    entry = Registry(registry).by_sha256(hashlib.sha256(content).hexdigest())
    assert entry is not None
    assert (entry.mark_id, entry.model, entry.key) == (row["mark_id"], "g", load_keyring().active)
    assert entry.tag == MarkStack(load_keyring()).tag(np.asarray(picture))
    assert [e for e, _ in Registry(registry).nearest(entry.pdq or b"")] == [entry]
    assert stat.S_IMODE(registry.stat().st_mode) == 0o600
    said = verify_image(content, load_keyring(), search=False, registry=Registry(registry))
    assert said.layers[-1].verdict == "found"
    # Another file of the picture is told by the command too.
    show = running(capsys, "registry", "show")
    assert show(registry, entry.mark_id).json == entry.to_json()
    assert Registry(registry).add_file(entry.mark_id, "c" * 64)
    assert show(registry, "c" * 64).json == entry.to_json() | {"files": ["c" * 64]}


def test_an_id_that_is_taken_is_not_given_again(
    picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path / "r.sqlite")
    monkeypatch.setattr(marking_files, "new_decision_id", lambda *_: "the same name every time")
    marker = FileMarker(load_keyring(), registry=registry)
    source = saved(tmp_path / "a.png", picture)
    ids = [marker.mark(source, tmp_path / f"{n}.png").mark_id for n in range(2)]
    assert len({*ids}) == len(registry) == 2


def test_credentials_are_signed_and_earlier_ones_kept(
    run: Run, picture: Image.Image, tmp_path: Path, out: Path
) -> None:
    pytest.importorskip("c2pa")
    from guardrail.marks.credentials import Signer, new_chain, read_credentials, signing

    chain = new_chain(tmp_path / "chain")
    files = ("--signer", chain.chain, chain.key)
    # As another program of ours signed it, without a watermark.
    sign = signing(LABEL, Signer.from_files(chain.chain, chain.key))
    (tmp_path / "a.jpg").write_bytes(encode_image(picture, "jpeg", LABEL, sign=sign, quality=95))
    told = run(tmp_path / "a.jpg", "--out", out, *files).out
    assert "read back from watermark and content credentials and metadata" in told
    (row,) = run(tmp_path / "a.jpg", "--out", out, *files, "--force", "--json").json
    read = read_credentials((out / "a.jpg").read_bytes(), anchors=chain.root.read_bytes())
    assert read is not None
    assert (read.state, read.says["soft binding"], read.says["ingredients"]) == ("Trusted", row["mark_id"], "1")
    assert "Credentials that it came with are lost" in run(tmp_path / "a.jpg", "--out", tmp_path / "lost").out


def test_a_picture_is_not_marked_twice(run: Run, picture: Image.Image, tmp_path: Path, out: Path) -> None:
    (row,) = run(saved(tmp_path / "a.webp", picture), "--out", out, "--json").json
    said = run(out / "a.webp", "--out", tmp_path / "again")
    assert said.code == 3
    assert f"it carries the mark {row['mark_id']} already" in said.err


def test_composites_are_called_so(run: Run, picture: Image.Image, tmp_path: Path, out: Path) -> None:
    assert run(saved(tmp_path / "a.webp", picture), "--out", out, "--composite").code == 0
    said = verify_image(out / "a.webp", None)
    metadata = next(layer for layer in said.layers if layer.name == "metadata")
    assert metadata.says["Iptc4xmpExt:DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")


# ---- nothing is overwritten


def test_inputs_are_never_overwritten_and_files_only_by_force(
    run: Run, picture: Image.Image, tmp_path: Path, out: Path
) -> None:
    source = saved(tmp_path / "a.png", picture)
    before = source.read_bytes()
    for force in ([], ["--force"]):
        said = run(source, "--out", tmp_path, *force)
        assert (said.code, "never overwritten" in said.err) == (3, True)
    (tmp_path / "linked").symlink_to(tmp_path)
    assert "never overwritten" in run(source, "--out", tmp_path / "linked", "--force").err
    assert source.read_bytes() == before
    assert run(source, "--out", out).code == 0
    first = (out / "a.png").read_bytes()
    said = run(source, "--out", out)
    assert (said.code, "is there already; --force" in said.err) == (3, True)
    assert (out / "a.png").read_bytes() == first
    assert run(source, "--out", out, "--force").code == 0
    assert (out / "a.png").read_bytes() != first
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_two_files_of_one_name_do_not_meet(run: Run, picture: Image.Image, tmp_path: Path, out: Path) -> None:
    (tmp_path / "x").mkdir()
    files = [saved(tmp_path / "a.webp", picture), saved(tmp_path / "x" / "a.webp", picture)]
    said = run(*files, "--out", out, "--force", "--json")
    assert said.code == 3
    assert [row.get("error") for row in said.json] == [None, "mark"]
    assert "another file of this name" in said.json[1]["message"]


# ---- what cannot be marked


def test_what_cannot_be_marked_is_named_and_the_others_are_marked(
    run: Run, picture: Image.Image, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    noise = np.random.default_rng(0).integers(0, 2, (256, 256, 3), np.uint8) * 255
    cases = {
        "tiny.png": (saved(tmp_path / "tiny.png", picture.resize((60, 60))), "mark", "too small"),
        "moving.webp": (
            saved(tmp_path / "moving.webp", picture, save_all=True, append_images=[picture.rotate(9)]),
            "unsupported-input",
            "animated",
        ),
        "wide.png": (
            saved(tmp_path / "wide.png", Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256))),
            "unsupported-input",
            "8 bits",
        ),
        "a.gif": (saved(tmp_path / "a.gif", picture), "mark", "cannot carry"),
        "text.png": (tmp_path / "text.png", "unsupported-input", "not a PNG"),
        "folder.png": (tmp_path / "folder.png", "mark", "a folder"),
        "nowhere.png": (tmp_path / "nowhere.png", "unreadable-image", "no such file"),
        "noise.png": (saved(tmp_path / "noise.png", Image.fromarray(noise)), "mark", "read back"),
        "small.png": (saved(tmp_path / "small.png", picture.resize((150, 130))), None, ""),
    }
    said = run(*(source for source, _, _ in cases.values()), "--out", out, "--json")
    assert said.code == 3
    for row, (_, code, cause) in zip(said.json, cases.values(), strict=True):
        assert row.get("error") == code, row
        assert cause in row.get("message", "")
    assert said.json[-1]["grade"] == "fragile"
    assert "will not survive much" in said.json[-1]["notes"][0]
    assert [path.name for path in out.iterdir()] == ["small.png"]


def test_files_that_cannot_be_read_alone_are_code_2(run: Run, tmp_path: Path, out: Path) -> None:
    assert run(tmp_path / "nowhere.png", "--out", out).code == 2


def test_what_does_not_read_back_from_the_file_is_not_written(
    run: Run, picture: Image.Image, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The codec may take what the pixels had: it is the file that is read."""
    monkeypatch.setitem(marking_files._QUALITY, "JPEG", {"quality": 1})
    registry = tmp_path / "r.sqlite"
    said = run(saved(tmp_path / "a.jpg", picture), "--out", out, "--registry", registry)
    assert (said.code, "cannot be read back from the file" in said.err) == (3, True)
    assert list(out.iterdir()) == []
    assert not registry.exists()


def test_what_cannot_be_registered_is_not_written(
    picture: Image.Image, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path / "r.sqlite")

    def full(_: object) -> None:
        raise MarkError("the disk is full")

    monkeypatch.setattr(registry, "add", full)
    with pytest.raises(MarkError, match="full"):
        FileMarker(load_keyring(), registry=registry).mark(saved(tmp_path / "a.png", picture), tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--out", "{}/a.png"], 2, "--out names a folder"),
        (["--out", "{}/a.png/x"], 3, "cannot be made"),
        (["--out", "{}/o", "--psnr", "99"], 2, "psnr"),
        (["--out", "{}/o", "--registry", "{}/a.png"], 3, "is no registry"),
        (["--out", "{}/o", "--signer", "{}/nowhere.pem", "{}/nowhere.key"], 3, "is not a file"),
        ([], 2, "--out"),
    ],
)
def test_wrong_options_are_named_before_anything_is_done(
    run: Run, picture: Image.Image, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    source = saved(tmp_path / "a.png", picture)
    said = run(source, *(part.replace("{}", str(tmp_path)) for part in options))
    assert (said.code, message in said.err) == (code, True)
    assert not (tmp_path / "o").exists()


def test_the_help_warns_of_the_copy_attack(run: Run) -> None:
    said = " ".join(run("--help").out.replace("│", " ").split())
    assert "Do not offer this as a service" in said
