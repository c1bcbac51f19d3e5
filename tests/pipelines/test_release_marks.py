"""Marks on what is released: drawn labels, the registry, signers, and what happens where one of them fails."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import guardrail
from guardrail.decision import Action, Decision
from guardrail.errors import ConfigurationError, MarkError
from guardrail.keys import Keyring
from guardrail.marks.files import read_file_label
from guardrail.marks.registry import Registry
from guardrail.marks.settings import Marking
from guardrail.media import Context, Request, TextInput
from guardrail.pipelines.outputs import Result
from guardrail.pipelines.release import Release
from tests.marks.conftest import drawing

MARK = "rules: [{id: mark, at: output, when: always, then: {label: {watermark: invisible%s}}}]"
PLAIN = MARK % ", source_type: trainedAlgorithmicMedia"
LABELLED = MARK % ", visible: AI-generated, visible_at: top-left"


def released(guard: Any, value: Any) -> tuple[Sequence[Decision], Any]:
    """What a call that made `value` answers: its decisions, and what is left in the result."""
    session = guard.session()
    session.open([Request((TextInput("a stone bridge"),), context=Context())])
    session.judge_inputs()
    result = Result.open(value, latent=False)
    again: Any = pytest.fail
    release = Release(guard, session, result, "Stand-in", lambda r, i: r.image(i), again)
    return release.all([0] * len(result)), result.close()


def picture() -> Image.Image:
    return Image.fromarray(drawing(256, 320))


def test_what_is_released_is_in_the_registry(make_guard: Any, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "marks.sqlite")
    guard = make_guard(PLAIN, marking=Marking(registry=registry.path))
    (one, two), out = released(guard, [picture(), Image.fromarray(drawing(256, 320, 7))])
    assert one.mark_id != two.mark_id
    entry = registry.by_id(one.mark_id)
    assert entry is not None
    assert (entry.key, entry.model, entry.policy) == (
        guard.keyring.active,
        "Stand-in",
        f"{one.policy.id} {one.policy.version}",
    )
    assert entry.pixels_sha256 == one.pixels_sha256
    assert entry.decision == one.id
    assert entry.tag == guard.marks.read(np.asarray(out[0])).payload.tag
    assert entry.pdq is not None
    assert [e.mark_id for e, _ in registry.nearest(entry.pdq)] == [one.mark_id]


def test_every_file_of_what_is_released_is_in_the_registry(make_guard: Any, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "marks.sqlite")
    guard = make_guard(PLAIN, marking=Marking(registry=registry.path))
    (decision,), (image,) = released(guard, [picture()])
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.webp", quality=90)
    image.crop((0, 0, 200, 200)).save(tmp_path / "c.png")
    guardrail.save(np.asarray(image), tmp_path / "d.jpg", decision=decision, quality=95)
    for name in ("a.png", "b.webp", "c.png", "d.jpg"):
        entry = registry.by_sha256(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
        assert entry is not None, name
        assert entry.mark_id == decision.mark_id
    said = guardrail.verify(tmp_path / "c.png", registry=registry, search=False)
    (layer,) = (layer for layer in said.layers if layer.name == "registry")
    # It is known, and does not look like what was registered.
    assert (layer.verdict, layer.says["found by"]) == ("registered, looks different", "the bytes of the file")


def test_what_cannot_be_registered_is_not_saved(make_guard: Any, tmp_path: Path) -> None:
    guard = make_guard(PLAIN, marking=Marking(registry=tmp_path / "marks.sqlite"))
    _, (image,) = released(guard, [picture()])
    for path in tmp_path.glob("marks.sqlite*"):
        path.unlink()
    with pytest.raises(MarkError, match="has vanished"):
        image.save(tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_an_id_that_is_taken_is_not_given_again(make_guard: Any, tmp_path: Path) -> None:
    guard = make_guard(PLAIN, marking=Marking(registry=tmp_path / "marks.sqlite"))
    decision = guard.check_output(picture())
    first = guard.mark(picture(), after=decision).guardrail_label.mark_id
    second = guard.mark(picture(), after=decision).guardrail_label.mark_id
    assert (first, second) == (guard.marks.mark_id(decision.id), guard.marks.mark_id(decision.id, 1))
    for _ in range(2):
        guard.mark(picture(), after=decision)
    with pytest.raises(MarkError, match="every mark id that was tried"):
        guard.mark(picture(), after=decision)


def test_an_id_that_another_thread_takes_meanwhile_is_not_given_again(
    make_guard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = make_guard(PLAIN, marking=Marking(registry=tmp_path / "marks.sqlite"))
    decision = guard.check_output(picture())
    guard.mark(picture(), after=decision)
    by_id, asked = Registry.by_id, []

    def late(registry: Registry, mark_id: str) -> Any:
        asked.append(mark_id)
        return None if len(asked) == 1 else by_id(registry, mark_id)

    monkeypatch.setattr(Registry, "by_id", late)
    second = guard.mark(picture(), after=decision).guardrail_label.mark_id
    assert (asked[0], second) == (guard.marks.mark_id(decision.id), guard.marks.mark_id(decision.id, 1))


def test_what_cannot_be_registered_is_not_released(
    make_guard: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "marks.sqlite"
    path.write_bytes(b"not a registry" * 100)
    (decision,), _ = released(make_guard(PLAIN, marking=Marking(registry=path)), [picture()])
    assert decision.action is Action.BLOCK
    assert [r.kind for r in decision.reasons if r.effect is Action.BLOCK] == ["mark"]
    assert decision.mark_id == ""
    # Where the registry lies is for the log alone.
    assert str(tmp_path) not in json.dumps(decision.to_json())
    assert str(path) in caplog.text


@pytest.mark.parametrize("form", ["pil", "array"])
@pytest.mark.parametrize("watermark", ["invisible", "none"])
def test_a_visible_label_is_drawn_under_the_watermark(form: str, watermark: str, make_guard: Any) -> None:
    guard = make_guard(LABELLED.replace("invisible", watermark))
    before = drawing(256, 320)
    given: Any = [Image.fromarray(before)] if form == "pil" else (before[None] / np.float32(255))
    (decision,), out = released(guard, given)
    assert decision.labels["visible"] == "AI-generated"
    after = np.asarray(out[0]) if form == "pil" else np.rint(out[0] * 255).astype(np.uint8)
    changed = np.abs(after.astype(int) - before).max(2) > 40
    assert changed[:40, :160].mean() > 0.05
    assert not changed[128:].any()
    verdict = guard.marks.detect(after, search=False)[1].verdict
    assert verdict == ("payload" if watermark == "invisible" else "none")


def test_a_label_that_no_font_can_draw_is_refused_when_the_guard_is_made(make_guard: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"visible label.*cannot be drawn.*U\+12000"):
        make_guard(MARK % ', visible: "\U00012000"')


def test_a_label_that_does_not_fit_blocks(make_guard: Any) -> None:
    guard = make_guard(MARK % f", visible: {'w' * 58}")
    (decision,), _ = released(guard, [Image.fromarray(drawing(600, 64))])
    assert decision.action is Action.BLOCK
    assert "fit" in decision.reasons[-1].cause


def test_files_name_the_provider_and_are_signed(make_guard: Any, tmp_path: Path) -> None:
    pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
    from guardrail.marks.credentials import Signer, new_chain, read_credentials

    new_chain(tmp_path / "keys")
    signer = Signer.from_files(tmp_path / "keys" / "chain.pem", tmp_path / "keys" / "key.pem")
    marking = Marking(provider="A Provider", signer=signer)
    guard = make_guard(PLAIN, marking=marking)
    (decision,), (image,) = released(guard, [picture()])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    said = read_file_label(buffer.getvalue())
    assert (said["aigc:ContentProducer"], said["aigc:ProduceID"]) == ("A Provider", decision.mark_id)
    assert said["aigc:ReservedCode1"].startswith("hmac-sha256:")
    anchors = (tmp_path / "keys" / "root.pem").read_bytes()
    credentials = read_credentials(buffer.getvalue(), anchors=anchors)
    assert credentials is not None
    assert (credentials.state, credentials.says["soft binding"]) == ("Trusted", decision.mark_id)
    with pytest.raises(TypeError, match="make the guard where it is used"):
        pickle.dumps(guard)
    # An array carries neither: its decision knows what it was marked with.
    content = guardrail.encode(np.asarray(image), "webp", decision=decision)
    assert read_file_label(content)["aigc:ContentProducer"] == "A Provider"
    again = read_credentials(content, anchors=anchors)
    assert again is not None
    assert again.state == "Trusted"


def transparent() -> np.ndarray:
    return np.dstack([drawing(256, 256), np.tile(np.arange(256, dtype=np.uint8), (256, 1))])


@pytest.mark.parametrize("form", ["mark", "pil", "LA", "array"])
def test_transparency_is_kept(form: str, make_guard: Any, tmp_path: Path) -> None:
    guard, rgba = make_guard(PLAIN), transparent()
    if form == "mark":
        decision = guard.check_output(rgba)
        one = guard.mark(rgba, after=decision)
    elif form == "array":
        (decision,), (one,) = released(guard, rgba[None] / np.float32(255))
        guardrail.save(one, tmp_path / "a.png", decision=decision)
    else:
        given = Image.fromarray(rgba) if form == "pil" else Image.fromarray(rgba).convert("LA")
        (decision,), (one,) = released(guard, [given])
    if form != "array":
        one.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as written:
        assert written.mode == "RGBA"
        pixels = np.asarray(written)
    assert np.array_equal(pixels[..., 3], rgba[..., 3])
    mark_id = guard.marks.mark_id(decision.id)
    assert guard.marks.read(np.ascontiguousarray(pixels[..., :3]), search=False).payload.mark_id == mark_id
    assert read_file_label((tmp_path / "a.png").read_bytes())["guardrail:MarkId"] == mark_id


def test_a_transparent_output_is_judged_as_it_is_seen_and_can_be_replaced() -> None:
    floats = transparent()[None] / np.float32(255)
    for value in ([Image.fromarray(transparent())], floats, torch.from_numpy(floats).permute(0, 3, 1, 2)):
        result = Result.open(value, latent=False)
        assert len({view.tobytes() for _, view in result.image(0).views()}) == 4
        result.put(0, [np.full((256, 256, 3), 128, np.uint8)])
        after = result.image(0).frames[0]
        assert np.array_equal(after[..., :3], np.full((256, 256, 3), 128))
        assert after.shape[2] == 3 or (after[..., 3] == 255).all()


def test_the_strength_is_that_of_the_deployment(make_guard: Any) -> None:
    ring = Keyring([b"\x03" * 32], source="a test")
    errors = []
    for psnr_db in (41.0, 46.0):
        guard = make_guard(PLAIN, marking=Marking(psnr_db=psnr_db), keyring=ring)
        pixels = drawing(256, 256)
        marked = np.asarray(guard.mark(pixels, after=guard.check_output(pixels)))
        errors.append(float(np.mean((marked.astype(float) - pixels) ** 2)))
    assert errors[0] > 1.5 * errors[1]


@pytest.mark.parametrize("form", ["array", "tensor"])
def test_pictures_in_whole_numbers_are_marked_as_such(form: str, make_guard: Any) -> None:
    guard = make_guard(PLAIN)
    before = drawing(256, 320)
    given: Any = torch.from_numpy(before[None]).permute(0, 3, 1, 2).clone() if form == "tensor" else before[None].copy()
    (decision,), out = released(guard, given)
    after = np.asarray(out[0].permute(1, 2, 0) if form == "tensor" else out[0])
    assert after.dtype == np.uint8
    assert np.abs(after.astype(int) - before).max() < 30
    assert guard.marks.read(np.ascontiguousarray(after)).payload.mark_id == decision.mark_id
