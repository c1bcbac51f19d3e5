"""``guardrail bench marks`` with a watermark that is made up: every figure can be counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from guardrail.bench.files import DataError
from guardrail.bench.marks import measure as measuring
from guardrail.bench.marks import peers, tables
from guardrail.bench.marks.as_run import marks_run
from guardrail.bench.marks.conditions import named
from guardrail.bench.marks.measure import MarksPlan, measure
from guardrail.bench.marks.methods import Method, Read, tileline
from guardrail.bench.marks.peers import PEERS, Peer
from guardrail.bench.marks.pictures import Size, chosen, size_of, sources
from guardrail.bench.marks.tables import mark_facts, mark_sheets
from guardrail.bench.report import written
from guardrail.bench.run.folder import read_run, write_run
from guardrail.bench.run.samples import FILE
from tests.cli.said import running

Pixels = NDArray[np.uint8]


class FirstPixels:
    """Writes 16 bits into the first row as black and white; reads them if that row is black and white.

    A picture whose last value is 7 is read with a wrong bit, and one whose last value is 9 cannot be marked.
    """

    bits = 16

    def __init__(self, key: bytes) -> None:
        self.mask = key[0] << 8 | key[1]

    def embed(self, pixels: Pixels, payload: int) -> Pixels:
        if pixels[-1, -1, 0] == 9:
            raise ValueError("no")
        out = pixels.copy()
        for i in range(self.bits):
            out[0, i] = 255 * ((payload ^ self.mask) >> i & 1)
        return out

    def read(self, pixels: Pixels, *, search: bool = True) -> Read:
        row = pixels[0, : self.bits, 0]
        if not np.isin(row, (0, 255)).all() or len(row) < self.bits:
            return Read(None, "none", 1.0)
        payload = sum(int(v == 255) << i for i, v in enumerate(row)) ^ self.mask
        if pixels[-1, -1, 0] == 7:
            payload ^= 1
        return Read(payload, "payload", 20.0)


def method(*, checked: bool = True) -> Method:
    return Method("made up", FirstPixels.bits, FirstPixels, checked=checked, asked_db=43.0 if checked else None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures in two folders that can be marked, one of them read wrong, and one that cannot be marked."""
    for name, last in (("a/0", 0), ("a/1", 1), ("b/0", 7), ("b/1", 2), ("b/2", 9)):
        path = tmp_path / "in" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((128, 128, 3), 100 + last, np.uint8)
        pixels[-1, -1] = last
        Image.fromarray(pixels).save(path)
    return tmp_path / "in"


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "tileline", lambda db: method())


def plan(folder: Path, **options: Any) -> MarksPlan:
    given: dict[str, Any] = {"sizes": (Size(128, 128),), "peers": False, "packaged": False}
    return MarksPlan((folder,), conditions=named("none,jpeg75,crop_area90"), **{**given, **options})


@pytest.mark.nightly
def test_several_processes_give_the_figures_of_one(folder: Path) -> None:
    asked = MarksPlan((folder,), packaged=False, sizes=[Size(128, 96)], conditions=named("none,jpeg75"), peers=False)
    one, two = measure(asked)["rows"], measure(replace(asked, jobs=2))["rows"]
    for row in (*one, *two):
        row.pop("ms")
        for cell in row["conditions"].values():
            cell.pop("read_ms")
    assert one == two
    assert one[0]["n"] > 2


@pytest.mark.usefixtures("made_up")
def test_every_figure_comes_from_the_run(folder: Path) -> None:
    report = measure(plan(folder))
    (row,) = report["rows"]
    assert len(set(report["pictures"].pop("sha256").values())) == 2
    assert report["pictures"] == {"there": 5, "chosen": 5, "groups": {"folder 1": 2, "folder 2": 3}}
    none = row["conditions"]["none"]
    # Four were marked, of one a bit is wrong; the fifth counts as lost.
    assert (none["exact"]["count"], none["exact"]["of"], none["wrong"]) == (3, 5, 1)
    assert none["failures"] == ["folder 2 0", "folder 2 2"]
    assert row["not_marked"] == {"ValueError": 1}
    assert row["groups"]["folder 1"]["none"]["count"] == 2
    assert row["groups"]["folder 2"]["none"]["count"] == 1
    assert row["not_enlarged"]["none"]["of"] == 5
    # The condition really was applied: neither a codec nor a crop leaves the first row as it is.
    assert row["conditions"]["jpeg75"]["exact"]["count"] == 0
    assert row["conditions"]["crop_area90"]["exact"]["count"] == 0
    assert none["statistic"] == {"lowest": 20.0, "mean": 20.0}
    assert row["unmarked"] == {"none": 4}
    assert row["quality"]["psnr"]["worst"] < row["quality"]["psnr"]["mean"] < 60
    assert {"embed", "fast, marked", "full search, unmarked"} <= set(row["ms"])


@pytest.mark.usefixtures("made_up")
def test_a_run_that_was_stopped_goes_on_and_gives_the_same_figures(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    path = tmp_path / FILE
    whole = measure(plan(folder, results=path), lambda *said: told.append(said))
    assert told[-1] == ("pictures, made up at 128", 5, 5)
    assert len(told) == 5
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:50])
    told.clear()
    again = measure(plan(folder, results=path), lambda *said: told.append(said))
    assert [done for _, done, _ in told] == [3, 4, 5]
    assert marks_run(again).measures == marks_run(whole).measures
    with pytest.raises(DataError, match="another run"):
        measure(plan(folder, results=path, sizes=[Size(96, 96)]))
    path.write_bytes(lines[0] + b"{}\n")
    with pytest.raises(DataError, match="no picture"):
        measure(plan(folder, results=path))


@pytest.mark.usefixtures("made_up")
def test_folders_below_the_one_given_are_numbered_and_named_only_where_asked_for(folder: Path, tmp_path: Path) -> None:
    (folder / "a").rename(folder / "Alice Smith")
    path, told = tmp_path / FILE, []
    for keep in (False, True):
        report = measure(plan(folder, results=path, keep_names=keep, fresh=keep))
        run = marks_run(report)
        out = tmp_path / str(keep)
        out.mkdir()
        write_run(replace(run, figures=()), out)  # their captions hold no group, and drawing takes long
        written_files = [*out.rglob("*.*"), path]
        assert any("Alice" in file.read_text("utf-8") for file in written_files) is keep
        assert ("folders" in dict(run.told)) is not keep
        told.append(run.measures)
        # Who asks for names goes on from no run without them, and the other way round.
        with pytest.raises(DataError, match="another run"):
            measure(plan(folder, results=path, keep_names=not keep))
    assert told[0] == told[1]


@pytest.mark.usefixtures("made_up")
def test_peers_are_in_the_same_run_or_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Peer(method(checked=False), "json", ("json",))
    slow = Peer(Method("slow", 16, FirstPixels, checked=False), "json", ("json",), slow=True)
    absent = Peer(Method("absent", 16, FirstPixels, checked=False), "no-such", ("no_such_module",))
    monkeypatch.setattr(measuring, "PEERS", (there, slow, absent))
    report = measure(plan(folder, peers=True, peer_pictures=4))
    names = [(row["method"], row["n"]) for row in report["rows"]]
    assert names == [("made up", 5), ("made up", 4), ("slow", 1)]
    assert report["not_installed"] == {"absent": "not installed (no-such: no module no_such_module)"}
    peer = report["rows"][1]["conditions"]
    assert peer["none"]["wrong"] is None
    # Of those without a check a bit is right by chance: of three marked pictures none was read after a codec.
    assert peer["jpeg75"]["bit_accuracy"] == 0.5
    text = written("t", mark_facts(report), mark_sheets(report))
    assert "not installed (no-such" in text
    assert "slow (n = 1 †)" in text


def test_times_are_held_against_what_is_asked() -> None:
    ms = {"embed": 16.0, "fast, unmarked": 15.0, "fast, unmarked, one layout": 9.0, "full search, unmarked": 250.0}
    row: dict[str, Any] = {"method": "m", "size": "512", "checked": True, "layouts": 4, "n": 30}
    row["ms"] = {name: {"processor": value, "wall": 2 * value} for name, value in ms.items()}
    sheet = tables._time_aims([row, {**row, "size": "768×512"}, {**row, "checked": False}])
    few = tables._time_aims([{**row, "n": 4}])
    assert {r[-2:] for r in few.rows} == {("4 †", "too few pictures to say")}
    assert [(r[2], *r[3:]) for r in sheet.rows] == [
        ("embed", "16.0", "15.0", "30", "no"),
        ("fast, unmarked, one layout", "9.0", "12.0", "30", "yes"),
        ("full search, unmarked", "250.0", "300.0", "30", "yes"),
        ("each further layout", "2.0", "2.7", "30", "yes"),
    ]


def test_a_peer_that_raises_at_a_picture_has_not_read_it() -> None:
    class Failing(peers._Bits):
        def _write(self, picture: Any, bits: list[int]) -> Any:
            return picture

        def _bits(self, picture: Pixels) -> list[int]:
            raise RuntimeError("too small")

    assert Failing(8).read(np.zeros((4, 4, 3), np.uint8)) == (None, "error: RuntimeError", None)


def test_bits_go_highest_first_and_pixels_as_blue_green_red() -> None:
    class Keeping(peers._Bits):
        def _write(self, picture: Pixels, bits: list[int]) -> Pixels:
            out = picture.copy()
            out[0, : len(bits), 0] = bits
            return out

        def _bits(self, picture: Pixels) -> list[int]:
            return [int(v) for v in picture[0, : self.bits, 0]]

    marked = Keeping(8).embed(np.full((4, 8, 3), 50, np.uint8), 0b10110001)
    assert marked[0, :, 2].tolist() == [1, 0, 1, 1, 0, 0, 0, 1]  # blue is last in RGB
    assert Keeping(8).read(marked).payload == 0b10110001


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.method.name)
def test_peers_that_are_installed_read_what_they_wrote(peer: Peer) -> None:
    if peer.lacking:
        pytest.skip(peer.lacking)
    from guardrail.bench.marks.drawings import drawing

    marker = peer.method.marker(bytes(range(32)))
    payload = (1 << peer.method.bits) // 3
    read = marker.read(marker.embed(np.asarray(drawing(0, 256)), payload)).payload
    assert read is not None
    assert (read ^ payload).bit_count() <= peer.method.bits // 4  # chance is half; dwtDct misreads some even so


def test_tileline_reads_back_and_says_what_it_is() -> None:
    from guardrail.bench.marks.drawings import drawing

    ours = tileline(43.0)
    before = np.asarray(drawing(0, 256))
    marker = ours.marker(b"k" * 32)
    after = marker.embed(before, 5)
    assert marker.read(after, search=False).payload == 5
    assert ours.marker(b"j" * 32).read(after, search=False).verdict == "none"
    assert (ours.name, ours.bits, ours.checked) == ("TileLine 43 dB", 64, True)


@pytest.mark.parametrize(("text", "size"), [("512", (512, 512)), ("768x512", (768, 512)), ("64×4096", (64, 4096))])
def test_sizes_by_name(text: str, size: tuple[int, int]) -> None:
    assert size_of(text) == Size(*size)


@pytest.mark.parametrize("text", ["", "x", "512x", "-5", "32", "512x9000", "a few"])
def test_what_is_no_size_says_so(text: str) -> None:
    if text == "512x":  # a square: nothing follows the cross
        assert size_of(text) == Size(512, 512)
        return
    with pytest.raises(DataError, match=r"no size|pixels here"):
        size_of(text)


def test_pictures_are_cut_from_the_middle_and_scaled(tmp_path: Path) -> None:
    pixels = np.zeros((200, 400, 3), np.uint8)
    pixels[:, 100:300] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (one,) = sources((tmp_path,), packaged=False, drawn=0)
    square = one.pixels(Size(200, 200))
    assert square.shape == (200, 200, 3)
    assert (square == 255).all()
    assert one.pixels(Size(300, 150)).shape == (150, 300, 3)
    assert one.enlarged(Size(200, 200)) == 1.0
    assert one.enlarged(Size(400, 400)) == 2.0


def test_a_picture_that_lies_in_two_folders_counts_once_and_a_tiny_one_not_at_all(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "copy.png").write_bytes((folder / "a" / "0.png").read_bytes())
    Image.new("RGB", (64, 64)).save(other / "tiny.png")
    assert len(sources((folder, other), packaged=False, drawn=3)) == 5 + 3
    assert [s.name for s in chosen(sources((folder,), packaged=False, drawn=0), 2)] == ["folder 1 0", "folder 2 0"]
    with pytest.raises(DataError, match="no picture to mark"):
        sources((), packaged=False, drawn=0)


@pytest.mark.nightly
def test_the_command_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    done = running(capsys, "bench", "marks")("--quick", "--drawn", "1", "--conditions", "none", "--out", out)
    assert done.code == 0, done.err
    run = read_run(out)
    assert run.run["pictures"]["groups"] == {"drawn": 1}
    assert run.measures["exact_rate[condition=none, method=TileLine 43 dB, size=256]"].value == 1.0
    assert "TileLine 43 dB, 256 px" in (out / "report.md").read_text("utf-8")
    assert "whole payload" in done.out


def test_the_command_refuses_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        (["--conditions", "jpeg31", "--drawn", "1"], "no condition is called 'jpeg31'"),
        (["--size", "12", "--drawn", "1"], "64 to 8192"),
        (["--images", str(tmp_path / "gone")], "is no folder"),
    ):
        done = running(capsys, "bench", "marks")(*options)
        assert done.code == 2
        assert said in done.err
