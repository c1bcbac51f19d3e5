"""`guardrail verify`: files and folders, in a fixed order, with what could not be read named and nothing made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardrail.marks.registry import Entry, Registry
from tests.cli.said import Run, running
from tests.marks.conftest import drawing


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "verify", "--no-search")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of several kinds in two folders, and what is none."""
    place = tmp_path / "pictures"
    (place / "deep").mkdir(parents=True)
    picture = Image.fromarray(drawing(64, 64))
    for name in ("b.png", "a.JPG", "c.webp", "deep/d.gif", "deep/.hidden.png"):
        picture.save(place / name)
    (place / "notes.txt").write_text("no picture")
    return place


def names(said: list[dict[str, object]], folder: Path) -> list[str]:
    return [str(Path(str(row["file"])).relative_to(folder)) for row in said]


def test_a_folder_is_looked_through_in_a_fixed_order(run: Run, folder: Path) -> None:
    said = run(folder, "--json")
    assert (said.code, names(said.json, folder)) == (0, ["a.JPG", "b.png", "c.webp"])
    said = run("-r", folder, folder / "b.png", "--json")  # each file once
    assert names(said.json, folder) == ["a.JPG", "b.png", "c.webp", "deep/.hidden.png", "deep/d.gif"]


def test_links_are_not_followed_out_of_the_folder(run: Run, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    Image.new("RGB", (64, 64)).save(outside / "secret.png")
    (folder / "out.png").symlink_to(outside / "secret.png")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "in.png").symlink_to(folder / "b.png")
    (folder / "linked").symlink_to(outside)
    said = run("-r", folder, "--json")
    assert said.code == 0
    found = names(said.json, folder)
    assert "in.png" in found
    assert not {"out.png", "gone.png", "loop.png", "linked/secret.png"} & set(found)
    # A link that is named is followed: somebody meant it.
    assert run(folder / "out.png").code == 0


def test_lines_of_json_come_one_a_file(run: Run, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    said = run(folder, "--jsonl")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert (said.code, names(rows, folder)) == (2, ["a.JPG", "b.png", "bad.png", "c.webp"])
    assert [row.get("error") for row in rows] == [None, None, "unsupported-input", None]


def test_what_cannot_be_read_is_named_with_its_cause(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.png").write_bytes((folder / "b.png").read_bytes()[:300])
    given = [tmp_path / "empty", tmp_path / "cut.png", tmp_path / "nowhere.png", "https://example.org/a.png"]
    said = run(*given, folder / "b.png", "--json")
    assert said.code == 2
    causes = {row["file"]: row["message"] for row in said.json if "error" in row}
    assert "no PNG, JPEG, WebP, GIF or AVIF file; folders in it" in causes[str(tmp_path / "empty")]
    assert "damaged or cut off" in causes[str(tmp_path / "cut.png")]
    assert "no such file" in causes[str(tmp_path / "nowhere.png")]
    assert "not fetched" in causes["https://example.org/a.png"]
    assert str(folder / "b.png") in [row["file"] for row in said.json if "layers" in row]
    table = run(*given, folder / "b.png")
    assert "damaged or cut off" in table.out
    assert "No mark was found." in table.out


def test_looking_makes_no_key(run: Run, folder: Path, own_home: Path) -> None:
    said = run(folder / "b.png")
    assert said.code == 0
    assert "no key is here" in said.err
    assert "not looked at" in said.out
    assert not own_home.exists()


def test_every_layer_says_how_sure_it_is(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDRAIL_KEY", "07" * 32)
    (row,) = run(folder / "b.png", "--json").json
    assert {layer["name"] for layer in row["layers"]} >= {"watermark", "content credentials", "metadata"}
    watermark = row["layers"][0]
    assert 0 < watermark["false_positive_rate"] <= 1
    assert watermark["statistic"] > 0
    table = run(folder / "b.png").out
    for word in ("layer", "verdict", "statistic", "chance of error", "watermark", "nothing found"):
        assert word in table


def test_the_registry_says_what_it_knows(run: Run, folder: Path, tmp_path: Path) -> None:
    from hashlib import sha256

    digest = sha256((folder / "b.png").read_bytes()).hexdigest()
    registry = tmp_path / "r.sqlite"
    Registry(registry).add(Entry("abc", "k", 0, None, digest, "", "a generator", "p", "2026-11-28T09:00:00Z"))
    said = run(folder / "b.png", folder / "a.JPG", "--registry", registry, "--json")
    assert [row["ai_generated"] for row in said.json] == [True, None]
    assert said.json[0]["layers"][-1]["says"]["model"] == "a generator"
    assert said.json[0]["summary"] == "AI-generated, says the registry."


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        (["--registry", "{}/nowhere.sqlite"], 3, "there is no registry"),
        (["--registry", "{}/notes.txt"], 3, "is no registry"),
        (["--anchors", "{}/notes.txt"], 3, "give them in PEM"),
        (["--anchors", "{}/nowhere.pem"], 3, "cannot be read"),
        (["--picture", "{}/out.jpg"], 2, "writes a PNG"),
        (["--picture", "{}/b.png"], 2, "overwrite the file itself"),
        (["--picture", "{}/no/out.png"], 3, "cannot be written"),
        (["--picture", "{}/out.png", "{}/a.JPG"], 2, "in one file"),
        (["--max-pixels", "0"], 2, "max-pixels"),
    ],
)
def test_wrong_options_are_named_before_anything_is_done(
    run: Run, folder: Path, option: list[str], code: int, message: str
) -> None:
    pytest.importorskip("c2pa")
    before = sorted(folder.iterdir())
    said = run(folder / "b.png", *(part.replace("{}", str(folder)) for part in option))
    assert said.code == code
    assert message in " ".join(said.err.replace("│", " ").split())
    assert sorted(folder.iterdir()) == before


def test_what_is_larger_than_allowed_is_refused_unread(run: Run, folder: Path) -> None:
    said = run(folder / "b.png", "--max-pixels", 1000)
    assert said.code == 2
    assert "1,000 pixels are allowed" in said.out


def test_the_picture_of_what_was_found(run: Run, folder: Path) -> None:
    out = folder.parent / "found.png"
    assert run(folder / "b.png", "--picture", out).code == 0
    with Image.open(out) as image:
        assert image.width > 900
        # Text was drawn beside it, dark on light.
        panel = np.asarray(image.convert("L"))[:, 540:]
        assert 0.005 < (panel < 150).mean() < 0.3
    said = run(folder / "b.png", "--picture", out)  # its own picture it replaces
    assert said.code == 0


def test_brackets_in_a_file_name_are_no_colours(run: Run, tmp_path: Path) -> None:
    odd = tmp_path / "[red]x.png"
    Image.fromarray(drawing(64, 64)).save(odd)
    assert "[red]x.png" in run(odd).out


STEERING = "\x1b]0;title\x07\x1b[31m\x9b2J\u202e\x7f"


@pytest.fixture
def steering(tmp_path: Path) -> Path:
    """A file whose name and values would steer a terminal."""
    from PIL.PngImagePlugin import PngInfo

    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="tool&#x9b;2J&#x202e;&#x7f;[red]"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    info, exif = PngInfo(), Image.Exif()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    info.add_itxt("Software", f"png {STEERING}")
    exif[0x0131] = f"exif {STEERING}"
    path = tmp_path / f"a{STEERING}\n[red].png"
    Image.fromarray(drawing(64, 64)).save(path, pnginfo=info, exif=exif)
    return path


def steers(text: str) -> set[str]:
    return {c for c in text if not c.isprintable() and c != "\n"}


def test_nothing_from_a_file_steers_the_terminal(run: Run, steering: Path) -> None:
    table = run(steering)
    assert table.code == 0
    assert steers(table.out) == set()
    assert r"a\u001b]0;title\u0007\u001b[31m\u009b2J\u202e\u007f\n[red].png: No mark" in table.out
    assert "xmp:CreatorTool: tool 2J [red]" in table.out
    (steering.parent / f"b{STEERING}.png").write_bytes(b"no picture")
    refused = run(steering.parent, steering.parent / f"no{STEERING}")
    assert refused.code == 2
    assert steers(refused.out + refused.err) == set()
    assert r"no\u001b" in refused.out


@pytest.mark.parametrize("option", ["--json", "--jsonl"])
def test_json_escapes_what_steers_and_loses_nothing(run: Run, steering: Path, option: str) -> None:
    said = run(steering, option)
    assert steers(said.out) == set()
    read = json.loads(said.out)
    (row,) = read if option == "--json" else [read]
    assert row["file"] == str(steering)
    (metadata,) = (layer for layer in row["layers"] if layer["name"] == "metadata")
    assert metadata["says"]["xmp:CreatorTool"] == "tool\x9b2J\u202e\x7f[red]"


def test_file_names_of_no_text_are_printed(run: Run, tmp_path: Path) -> None:
    """Names are bytes on Linux: what is not UTF-8 cannot be encoded again."""
    path = tmp_path / "a\udcff.png"
    try:
        Image.fromarray(drawing(64, 64)).save(path)
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system takes text only")
    for option in ((), ("--json",), ("--jsonl",)):
        said = run(path, *option)
        assert said.code == 0
        assert r"a\udcff.png" in said.out
