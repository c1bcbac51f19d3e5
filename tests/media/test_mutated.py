"""Hostile files of every format, each decoded in a process of its own: a picture or an error of ours, soon, in little.

A failure names numbers. `python -m tests.media.mutations NUMBER > file` makes the file again, and
`python -m tests.media.decoding NUMBER NUMBER+1` decodes it alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.media.decoding import BYTES, SECONDS, forked
from tests.media.mutations import chosen, hostile
from tests.media.pictures import encoded, hostile_seeds, quarters

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"
ROOT = Path(__file__).parents[2]
# Spread over all kinds and mutations: no common factor with the 15 kinds or the 12 mutations.
NORMAL, STRIDE = 60, 158
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and resource limits")


def decoding(first: int, last: int, step: int = 1) -> list[dict[str, Any]]:
    """What went wrong with the files of these numbers; the last entry is the sums."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.media.decoding", str(first), str(last), str(step)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_mutated_files_are_decoded_or_refused() -> None:
    *wrong, sums = decoding(0, NORMAL * STRIDE, STRIDE)
    assert wrong == []
    assert sum(sums["ends"].values()) == NORMAL
    assert min(sums["ends"][end] for end in ("decoded", "refused")) > NORMAL // 10


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="10,000 mutated files; GUARDRAIL_NIGHTLY=1 runs them")
@pytest.mark.parametrize("first", range(0, 10_000, 500), ids=lambda n: f"files {n} to {n + 499}")
def test_ten_thousand_mutated_files_are_decoded_or_refused(first: int) -> None:
    *wrong, sums = decoding(first, first + 500)
    assert wrong == []
    assert sum(sums["ends"].values()) == 500


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="pictures of 25 million pixels; GUARDRAIL_NIGHTLY=1 runs them")
@pytest.mark.parametrize(("form", "side", "frames"), [("WEBP", 5000, 1), ("WEBP", 4300, 2), ("AVIF", 4300, 2)])
def test_the_largest_that_is_allowed_fits(form: str, side: int, frames: int, tmp_path: Path) -> None:
    # Each step in a process of its own: what this one holds would count.
    make = (
        "import sys; from PIL import Image; form, side, count, path = sys.argv[1:]; side = int(side)\n"
        "first, *more = [Image.new('RGBA', (side, side), (9 * i, 2, 3, 100)) for i in range(int(count))]\n"
        "first.save(path, form, save_all=True, append_images=more, speed=10, method=0)"
    )
    path = tmp_path / "large"
    subprocess.run([sys.executable, "-c", make, form, str(side), str(frames), str(path)], cwd=ROOT, check=True)
    look = (
        "import sys; from tests.media.decoding import forked; print(*forked(open(sys.argv[1], 'rb').read()), sep='|')"
    )
    command = [sys.executable, "-c", look, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    end, _, memory = done.stdout.split("|")
    assert end == "decoded"
    assert side * side * 4 * frames < int(memory) <= BYTES


def test_a_number_always_makes_the_same_file() -> None:
    for number in (0, 7, 123, 9_999):
        again = subprocess.run(
            [sys.executable, "-m", "tests.media.mutations", str(number)], cwd=ROOT, capture_output=True, check=True
        )
        assert again.stdout == hostile(number)[1]


def test_every_kind_meets_every_mutation() -> None:
    met = {chosen(number) for number in range(180)}
    assert len(met) == 12 * len(hostile_seeds())


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("os.kill(os.getpid(), 11)", {"killed by signal 11"}),
        ("os.abort()", {"killed by signal 6"}),
        ("raise KeyError", {"another error"}),
        # On a machine with nothing to spare the wall clock is first.
        ("while True: pass", {"killed by signal 9", "killed by signal 24", "hung"}),
        ("bytearray(800 << 20)", {"decoded"}),
    ],
)
def test_what_goes_wrong_is_seen(code: str, end: set[str]) -> None:
    # Without this, a decoder that crashes would look like one that has nothing to say. In a process of its own, since
    # what this one holds by now would count as the decoder's.
    program = (
        "import os\n"
        "from tests.media import decoding\n"
        f"def decode(content):\n    exec({code!r}, {{'os': os}})\n    return 0\n"
        f"decoding.decode, decoding.MOST_SECONDS = decode, {1 if code.startswith('while') else 10}\n"
        "print(*decoding.forked(b''), sep='|')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    found, seconds, memory = done.stdout.split("|")
    assert found in end
    assert (int(memory) > BYTES) is code.startswith("bytearray")
    assert float(seconds) > 0.5 * SECONDS or not code.startswith("while")


def test_a_sound_picture_is_decoded() -> None:
    assert forked(encoded(quarters(), "PNG"))[0] == "decoded"
    assert forked(b"no picture")[0] == "refused"
