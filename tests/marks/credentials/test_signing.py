"""Signed files: what is in them, what is kept of an input, and that nothing is released that does not read back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("c2pa", reason='needs pip install "guardrail-diffusion[c2pa]"')

from guardrail.errors import MarkError, MissingExtra
from guardrail.marks.credentials import (
    SOFT_BINDING,
    DevelopmentChain,
    Signer,
    new_chain,
    read_credentials,
    sign,
    signing,
    writing,
)
from guardrail.marks.files import encode_image, read_file_label
from guardrail.marks.label import SOURCE_TYPES
from tests.marks.conftest import LABEL, MARK_ID, drawing
from tests.marks.credentials.conftest import FORMATS, File
from tests.marks.credentials.made import by_another_tool, whole


def active(content: bytes, media: str) -> dict[str, Any]:
    store = whole(content, media)
    return store["manifests"][store["active_manifest"]]


def data(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    (found,) = (entry["data"] for entry in manifest["assertions"] if entry["label"] == label)
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_the_libraries_own_reader_finds_what_was_written(files: dict[str, File], form: str) -> None:
    file = files[form]
    manifest = active(file.signed, file.media)
    (generator,) = manifest["claim_generator_info"]
    assert generator["name"] == "guardrail"
    made, bound = data(manifest, "c2pa.actions.v2")["actions"]
    assert made == {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPES + "trainedAlgorithmicMedia",
        "softwareAgent": {"name": "a generator", "version": "2.1"},
        "when": LABEL.created,
    }
    assert bound["action"] == "c2pa.watermarked.bound"
    binding = data(manifest, "c2pa.soft-binding")
    assert binding == {"alg": SOFT_BINDING, "blocks": [{"scope": {}, "value": MARK_ID}]}
    assert "thumbnail" not in manifest
    assert len(file.signed) - len(file.plain) < 5_000


@pytest.mark.parametrize("form", FORMATS)
def test_pixels_and_metadata_are_those_of_before(files: dict[str, File], form: str) -> None:
    file = files[form]
    assert read_file_label(file.signed) == read_file_label(file.plain) != {}
    before, after = (Image.open(io.BytesIO(content)) for content in (file.plain, file.signed))
    assert np.array_equal(np.asarray(before), np.asarray(after))


@pytest.mark.parametrize("name", ["PNG", ".png", "image/png"])
def test_the_format_has_several_names(files: dict[str, File], signer: Signer, name: str) -> None:
    signed = signing(LABEL, signer)(files["png"].plain, name)
    found = read_credentials(signed)
    assert found is not None
    assert found.says["soft binding"] == MARK_ID


def test_a_picture_without_a_watermark_says_nothing_of_one(files: dict[str, File], signer: Signer) -> None:
    bare = dataclasses.replace(LABEL, mark_id="", system="", system_version="")
    manifest = active(sign(files["png"].plain, "png", bare, signer), "image/png")
    (made,) = data(manifest, "c2pa.actions.v2")["actions"]
    assert "softwareAgent" not in made
    assert not [entry for entry in manifest["assertions"] if entry["label"] == "c2pa.soft-binding"]


@pytest.mark.parametrize(
    ("form", "change", "message"),
    [
        ("gif", {}, "are written into png, jpeg, webp and avif"),
        ("", {}, "no format"),
        ("jpeg", {}, "is no JPEG file"),
        ("png", {"source_type": ""}, "no source type"),
    ],
)
def test_what_cannot_be_signed_is_refused(
    files: dict[str, File], signer: Signer, form: str, change: dict[str, str], message: str
) -> None:
    with pytest.raises(MarkError, match=message):
        sign(files["png"].plain, form, dataclasses.replace(LABEL, **change), signer)


def test_credentials_are_not_written_over(files: dict[str, File], signer: Signer) -> None:
    with pytest.raises(MarkError, match="give the file as the ingredient"):
        sign(files["png"].signed, "png", LABEL, signer)


def test_a_damaged_file_is_refused(files: dict[str, File], signer: Signer) -> None:
    for cut in (9, 40, len(files["jpeg"].plain) // 2):
        with pytest.raises(MarkError):
            sign(files["png"].plain[:cut], "png", LABEL, signer)


# Inputs.


COMPOSITE = dataclasses.replace(LABEL, source_type="compositeWithTrainedAlgorithmicMedia")


@pytest.mark.parametrize("form", FORMATS)
def test_an_input_with_credentials_is_kept_as_the_parent(
    files: dict[str, File], signer: Signer, anchors: bytes, form: str
) -> None:
    earlier = files[form].signed
    signed = sign(files["png"].plain, "png", COMPOSITE, signer, ingredient=earlier)
    manifest = active(signed, "image/png")
    (kept,) = manifest["ingredients"]
    assert (kept["relationship"], kept["title"]) == ("parentOf", "input")
    assert kept["active_manifest"] == active(earlier, f"image/{form}")["label"]
    assert [a["action"] for a in data(manifest, "c2pa.actions.v2")["actions"]] == [
        "c2pa.opened",
        "c2pa.edited",
        "c2pa.watermarked.bound",
    ]
    found = read_credentials(signed, anchors=anchors)
    assert found is not None
    assert (found.state, found.says["ingredients"]) == ("Trusted", "1")
    assert found.says["digital source type"] == SOURCE_TYPES + COMPOSITE.source_type
    assert found.says["earlier digital source type"] == SOURCE_TYPES + LABEL.source_type


def test_an_input_that_was_changed_is_kept_with_what_is_wrong(files: dict[str, File], signer: Signer) -> None:
    earlier = bytearray(files["jpeg"].signed)
    earlier[-40] ^= 1
    signed = sign(files["png"].plain, "png", COMPOSITE, signer, ingredient=bytes(earlier))
    (kept,) = active(signed, "image/png")["ingredients"]
    codes = [entry["code"] for entry in kept["validation_results"]["activeManifest"]["failure"]]
    assert "assertion.dataHash.mismatch" in codes
    found = read_credentials(signed)
    assert found is not None
    assert found.state == "Valid"


def test_an_input_whose_credentials_cannot_be_read_is_named(files: dict[str, File], signer: Signer) -> None:
    earlier = files["jpeg"].signed
    at = earlier.index(b"c2pa.actions.v2", earlier.index(b"jumb"))
    broken = earlier[:at] + b"C" + earlier[at + 1 :]
    (kept,) = active(sign(files["png"].plain, "png", COMPOSITE, signer, ingredient=broken), "image/png")["ingredients"]
    assert "could not be read" in kept["description"]
    assert "active_manifest" not in kept


def test_an_input_without_credentials_is_an_ingredient_without_them(files: dict[str, File], signer: Signer) -> None:
    signed = sign(files["png"].plain, "png", COMPOSITE, signer, ingredient=files["webp"].plain)
    (kept,) = active(signed, "image/png")["ingredients"]
    assert kept["format"] == "image/webp"
    assert not {"active_manifest", "thumbnail", "description"} & set(kept)


def test_no_thumbnail_of_an_input_is_kept(
    files: dict[str, File], signer: Signer, development: DevelopmentChain, anchors: bytes
) -> None:
    """Not even one that lies in its own manifest, or in that of the file before it."""
    chain, key = development.chain.read_bytes(), development.key.read_bytes()
    first = by_another_tool(files["jpeg"].plain, "image/jpeg", chain, key, thumbnails=True)
    second = by_another_tool(files["png"].plain, "image/png", chain, key, thumbnails=True, source=("image/jpeg", first))

    def thumbnails(content: bytes) -> list[str]:
        manifests = whole(content, "image/png")["detailed"]["manifests"].values()
        return [label for m in manifests for label in m["assertion_store"] if label.startswith("c2pa.thumbnail")]

    assert len(thumbnails(second)) == 3
    signed = sign(files["png"].plain, "png", COMPOSITE, signer, ingredient=second)
    assert thumbnails(signed) == []
    assert len(signed) - len(files["png"].plain) < 25_000
    found = read_credentials(signed, anchors=anchors)
    assert found is not None
    assert (found.state, found.problems) == ("Trusted", ())
    assert "c2pa.redacted" in found.says["actions"]
    assert len(whole(signed, "image/png")["manifests"]) == 3


def test_an_ingredient_must_be_a_picture(files: dict[str, File], signer: Signer) -> None:
    with pytest.raises(MarkError, match="the ingredient is not"):
        sign(files["png"].plain, "png", COMPOSITE, signer, ingredient=b"a letter")


def test_neither_the_label_beside_the_actions_nor_a_file_name_gets_into_the_manifest(
    files: dict[str, File], signer: Signer
) -> None:
    secret = dataclasses.replace(COMPOSITE, decision_id="decision-of-somebody")
    signed = sign(files["png"].plain, "png", secret, signer, ingredient=files["png"].plain)
    assert b"decision-of-somebody" not in signed


# Reading back.


def test_what_does_not_read_back_is_not_released(
    files: dict[str, File], signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = writing.definition(dataclasses.replace(LABEL, mark_id="fedcba987654321"))
    right = writing.definition(LABEL)
    later = writing.definition(dataclasses.replace(LABEL, created="2026-11-28T12:00:00Z"))
    for manifest, part in ((other, "soft binding"), (later, "actions")):
        monkeypatch.setattr(writing, "read_store", lambda *_, m=manifest: read_as(m))
        with pytest.raises(MarkError, match=f"do not read back as written.*{part}"):
            writing._require_as_written(b"", "PNG", right, signer, False)
    monkeypatch.undo()
    with pytest.raises(MarkError, match="did not get into the file"):
        writing._require_as_written(files["png"].plain, "PNG", right, signer, False)
    changed = bytearray(files["png"].signed)
    changed[-40] ^= 1
    with pytest.raises(MarkError, match=r"do not validate.*dataHash"):
        writing._require_as_written(bytes(changed), "PNG", right, signer, False)


def read_as(manifest: dict[str, Any]) -> dict[str, Any]:
    """A report on a file that holds `manifest`, whatever signed it."""
    results = {"activeManifest": {"success": [{"code": "assertion.dataHash.match"}], "failure": []}}
    return {
        "active_manifest": "m",
        "manifests": {"m": {**manifest, "signature_info": {}}},
        "validation_state": "Valid",
        "validation_results": results,
    }


def test_the_certificate_of_another_is_noticed(files: dict[str, File], tmp_path: Path) -> None:
    made = new_chain(tmp_path / "other")
    other = Signer.from_files(made.chain, made.key)
    with pytest.raises(MarkError, match="signature"):
        writing._require_as_written(files["png"].signed, "PNG", writing.definition(LABEL), other, False)


# Several at once.


def test_several_threads_sign_with_one_signer(signer: Signer, anchors: bytes) -> None:
    def one(number: int) -> tuple[str, str]:
        label = dataclasses.replace(LABEL, mark_id=f"{number:015x}")
        form = FORMATS[number % 3]
        found = read_credentials(sign(plain[form], form, label, signer), anchors=anchors)
        assert found is not None
        return found.state, found.says["soft binding"]

    plain = {form: encode_image(Image.fromarray(drawing(64, 64)), form, LABEL) for form in FORMATS[:3]}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(24)))
    assert found == [("Trusted", f"{number:015x}") for number in range(24)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_signs_with_the_signer_of_its_parent(files: dict[str, File], signer: Signer) -> None:
    child = os.fork()
    if child == 0:
        try:
            found = read_credentials(sign(files["png"].plain, "png", LABEL, signer))
            os._exit(0 if found is not None and found.state == "Valid" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sign(files["png"].plain, "png", LABEL, signer)


# What is missing.


def test_without_the_library_the_extra_is_named(
    files: dict[str, File], signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    for call in (lambda: sign(files["png"].plain, "png", LABEL, signer), lambda: read_credentials(files["png"].signed)):
        with pytest.raises(MissingExtra, match=r"guardrail-diffusion\[c2pa\]"):
            call()
    with pytest.raises(MissingExtra):
        Signer(signer.chain, signer.key)


def test_a_library_that_does_not_load_is_named(
    files: dict[str, File], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "c2pa.py").write_text("raise RuntimeError('Failed to load libc2pa_c.so')")
    monkeypatch.delitem(sys.modules, "c2pa")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match="its compiled part does not load"):
        read_credentials(files["png"].signed)


def test_a_certificate_that_has_expired_since_signs_nothing(
    files: dict[str, File], signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return dt.datetime.now(tz) + dt.timedelta(days=366)

    monkeypatch.setattr(writing, "dt", type("clock", (), {"datetime": Later, "UTC": dt.UTC}))
    with pytest.raises(MarkError, match="has expired"):
        sign(files["png"].plain, "png", LABEL, signer)
