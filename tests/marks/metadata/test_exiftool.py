"""ExifTool, which others read metadata with, finds every field under its standard name and exactly as it was meant."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guardrail.marks.files import encode_image
from tests.marks.conftest import LABEL

EXIFTOOL = shutil.which("exiftool")
pytestmark = pytest.mark.skipif(
    EXIFTOOL is None, reason="exiftool is not installed (Debian: apt install libimage-exiftool-perl)"
)
FORMATS = ["png", "jpeg", "webp", "avif"]
PROVIDED = replace(LABEL, provider="ein Büro 生成", provider_code="00119111")
TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"


def exiftool(*arguments: str) -> bytes:
    assert EXIFTOOL is not None
    done = subprocess.run([EXIFTOOL, *arguments], capture_output=True, check=True, timeout=60)
    return done.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exiftool")
    made = {}
    for format in FORMATS:
        made[format] = folder / f"a.{format}"
        made[format].write_bytes(
            encode_image(Image.new("RGB", (24, 16)), format, PROVIDED, prompt="a fox", prompt_writer="J. Writer")
        )
    return made


@pytest.fixture(scope="module")
def said(files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """One call for all files: starting it takes longer than reading them."""
    rows = json.loads(exiftool("-j", "-G1", "-a", "-s", *(str(p) for p in files.values())))
    return {Path(row["SourceFile"]).suffix[1:]: row for row in rows}


@pytest.mark.parametrize("format", FORMATS)
def test_the_fields_have_their_standard_names_and_values(said: dict[str, dict[str, Any]], format: str) -> None:
    expected = {
        "XMP-iptcExt:DigitalSourceType": TERM,
        "XMP-iptcExt:AISystemUsed": "a generator",
        "XMP-iptcExt:AISystemVersionUsed": 2.1,  # ExifTool prints what looks like a number as one
        "XMP-iptcExt:DigitalImageGUID": LABEL.decision_id,
        "XMP-iptcExt:AIPromptInformation": "a fox",
        "XMP-iptcExt:AIPromptWriterName": "J. Writer",
        "XMP-xmp:CreatorTool": "a generator 2.1",
        "XMP-xmp:CreateDate": "2026:11:27 12:00:00.000Z",
        "XMP-guardrail:Provider": "ein Büro 生成",
        "IFD0:Software": "a generator 2.1",
        "IFD0:ModifyDate": "2026:11:27 12:00:00",
        "ExifIFD:DateTimeOriginal": "2026:11:27 12:00:00",
        "ExifIFD:CreateDate": "2026:11:27 12:00:00",
        "ExifIFD:OffsetTimeOriginal": "+00:00",
    }
    found = said[format]
    assert {name: found.get(name) for name in expected} == expected
    assert not [name for name in found if name.endswith(("Warning", "Error"))]
    # The namespace is in no table of ExifTool 12.57; it reads it all the same.
    assert json.loads(found["XMP-TC260:Aigc"]) == PROVIDED.aigc()
    if format == "png":
        assert json.loads(found["PNG:AIGC"]) == PROVIDED.aigc()


@pytest.mark.parametrize("format", FORMATS)
def test_the_packet_that_it_takes_out_holds_the_names_as_the_standards_write_them(
    files: dict[str, Path], format: str
) -> None:
    root = ET.fromstring(exiftool("-b", "-XMP", str(files[format])))
    (description,) = root.iter(DESCRIPTION)
    assert description.get(f"{IPTC}DigitalSourceType") == TERM
    assert description.get(f"{IPTC}AISystemUsed") == "a generator"
    assert description.get(f"{IPTC}AISystemVersionUsed") == "2.1"
    (field,) = description
    assert field.tag == "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"
    assert list(json.loads(field.text or "").items()) == list(PROVIDED.aigc().items())


def test_nothing_is_wrong_with_the_files(files: dict[str, Path]) -> None:
    """But for fields about a camera's picture, which the EXIF of a JPEG file is to have as well, and the form of the
    time in PNG text, which the third edition of that standard asks for and ExifTool 12.57 does not know yet."""
    remarks = exiftool("-validate", "-a", "-s3", "-Warning", *(str(p) for p in files.values())).decode()
    known = ("Missing required JPEG", "[minor] Non standard PNG date/time format")
    said = [line for line in remarks.splitlines() if not line.startswith(("====", *known)) and "files read" not in line]
    # What it counts, in the order of the files.
    assert said == ["1 Warning (minor)", "9 Warnings", "OK", "OK"]
