"""What hostile metadata costs: no text of a field, and no file, takes more than time in proportion to its length."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import pytest

from guardrail.marks.foreign import fields
from guardrail.marks.foreign.fields import fields_of
from guardrail.marks.metadata import png
from guardrail.marks.metadata.exif import parse

# Every field that is asked for has the same long text. A pattern that takes quadratic time would need hours.
LOOK = """
from guardrail.marks.foreign import claims
from guardrail.marks.metadata.exif import parse

class Everywhere(dict):
    def __contains__(self, key):
        return True
    def __getitem__(self, key):
        return self.text
    def get(self, key, default=""):
        asked.add(key)
        return self.text

asked = set()
fields = Everywhere()
for text in (
    " " * 1_000_000,
    "\\n" * 1_000_000,
    "prompt:" + " " * 1_000_000,
    '"version"' + " " * 500_000 + ":" + " " * 500_000,
    '"version" ' * 50_000,
    '"Label":' * 50_000,
    '"app_version":"' * 40_000,
    "Steps: 1, Sampler: " + "Version: " * 50_000,
    "Job ID: 01234567-" * 40_000,
    "NovelAI" + " " * 500_000,
    "OpenAI" * 100_000,
    "cv.iptc.org/newscodes/digitalsourcetype/" * 20_000,
    "a" * 1_000_000,
):
    fields.text = text
    list(claims._claims(fields))
    claims._words(text)
parse(b"Exif\\0\\0" * 1_000_000)
print(len(asked))
"""


def test_no_field_of_a_million_characters_takes_more_than_linear_time() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) > 15  # fields were asked for


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PNG = b"\x89PNG\r\n\x1a\n"


def test_what_unpacks_to_nothing_is_not_unpacked_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that breaks after megabytes gives nothing that could be counted."""
    broken = zlib.compress(b"\0" * 100_000)[:-4] + b"\1\1\1\1"
    sizes: list[int] = []
    monkeypatch.setattr(png, "unpacked", lambda text: sizes.append(len(text.value)) if text.packed else text.value)
    content = PNG + chunk(b"zTXt", b"parameters\0\0" + broken) * 500 + chunk(b"tEXt", b"Software\0ComfyUI")
    assert fields_of(content)["png:Software"] == "ComfyUI"
    assert sizes == [len(broken)] * 64


def test_a_value_that_many_entries_point_at_is_read_once() -> None:
    """Or what stands behind them would find no room."""
    entries = [struct.pack("<HHII", 0x0131, 2, 5_000, 2_500)] * 200 + [struct.pack("<HHII", 0x013B, 2, 5_000, 2_500)]
    block = (b"II*\0" + struct.pack("<IH", 8, 201) + b"".join(entries)).ljust(2_500, b"\0") + b"ComfyUI".ljust(5_000)
    exif = parse(block, 10_000)
    assert exif is not None
    assert set(exif.main) == {0x0131, 0x013B}
    assert fields_of(PNG + chunk(b"eXIf", block))["exif:Software"].strip() == "ComfyUI"


def test_few_packets_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packets: list[bytes] = []
    monkeypatch.setattr(fields, "properties_of", lambda packet, spaces: packets.append(packet) or iter(()))
    fields_of(PNG + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>") * 50)
    assert packets == [b"<x/>"] * 4
