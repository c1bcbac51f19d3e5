"""Peers that judge pictures, with a fake package in the place of NudeNet and drawn colours in the place of people."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.bench.data import Labels
from guardrail.bench.files import DataError
from guardrail.bench.peers import hub
from guardrail.bench.peers.base import Answer, Opened, Peer
from guardrail.bench.peers.pictures import nudenet, skin, skin_share
from guardrail.bench.peers.plan import Hub, PeerPlan
from guardrail.bench.peers.run import peers_run
from guardrail.bench.run.measures import by_key
from guardrail.bench.run.samples import FILE

SKIN, SKY = (224, 172, 140), (90, 140, 220)


def picture(share: float, size: int = 40) -> np.ndarray[Any, Any]:
    """So large a share of it has the colour of skin."""
    made = np.full((size, size, 3), SKY, np.uint8)
    made[: round(size * share)] = SKIN
    return made


@pytest.mark.parametrize(("share", "action"), [(0.0, "allow"), (0.1, "allow"), (0.15, "block"), (1.0, "block")])
def test_the_share_of_skin_colour_is_that_of_the_pixels(share: float, action: str) -> None:
    said = skin().open().judge(picture(share))
    assert (said.score, said.action) == (pytest.approx(share), action)
    assert skin_share(np.zeros((4, 4, 3), np.uint8)) == 0.0


def test_nudenet_gets_blue_first_and_only_exposed_private_parts_count(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    class Detector:
        def detect(self, pixels: Any) -> list[dict[str, Any]]:
            given.append(pixels[0, 0].tolist())
            parts = [("BELLY_EXPOSED", 0.9), ("FEMALE_BREAST_COVERED", 0.8)]
            return [{"class": c, "score": s} for c, s in [*parts, ("BUTTOCKS_EXPOSED", 0.3)][: len(given) + 1]]

    monkeypatch.setitem(
        sys.modules, "nudenet", SimpleNamespace(NudeDetector=Detector, __spec__=ModuleSpec("nudenet", None))
    )
    assert nudenet().asked  # never imported unless it is asked for
    judge = nudenet().open().judge
    said = [judge(picture(0.0)) for _ in range(2)]
    assert said == [Answer("allow", 0.0), Answer("block", 0.3)]
    assert given[0] == [*SKY[::-1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for i, share in enumerate((0.0, 0.1, 0.5)):
        Image.fromarray(picture(share)).save(place / f"jane-doe-{i}.png")
    (place / "broken.png").write_bytes(b"no picture")
    return place


def peers() -> list[Peer]:
    fake = Peer("guardrail", "image", lambda: Opened(lambda pixels: Answer("allow", 0.0)))
    return [fake, skin()]


def test_pictures_are_known_by_their_content_and_not_by_their_name(folder: Path, tmp_path: Path) -> None:
    plan = PeerPlan("image", [folder], labels=Labels(benign=("*",)))
    run = peers_run(plan, tmp_path, peers=peers())
    found = by_key(run.measures)
    over = found["over_block_rate[peer=skin-colour share]"]
    assert (over.count, over.n) == (1, 3)  # the broken file is in no figure
    assert found["block_rate[peer=skin-colour share]"].remark == "no sample"
    assert ("rows asked about", "4, 1 of them unreadable and in no figure") in run.told
    lines = (tmp_path / FILE).read_text("utf-8")
    assert "jane" not in lines
    assert [json.loads(line)["cause"] for line in lines.splitlines()[1:]].count("") == 3
    assert not [f for f in run.figures if f.name == "peers-roc"]


def test_a_folder_that_nobody_spoke_of_is_numbered(tmp_path: Path) -> None:
    for name in ("lewd", "jane-doe"):
        (tmp_path / name).mkdir()
        Image.fromarray(picture(0.5 if name == "lewd" else 0.0)).save(tmp_path / name / "0.png")
    plan = PeerPlan("image", [tmp_path], labels=Labels(block=("lewd",), benign=("*",)))
    parts = {dict(m.of).get("source", "") for m in peers_run(plan, None, peers=peers()).measures}
    assert parts == {"", "lewd", "folder 1"}
    with pytest.raises(DataError, match="what the label 'jane-doe' means"):  # which folder it is has to be said
        peers_run(PeerPlan("image", [tmp_path], labels=Labels(block=("lewd",))), None, peers=peers())


def test_a_picture_nobody_explained_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"what the label 'pictures' means.*--benign '\*'"):
        peers_run(PeerPlan("image", [folder]), None, peers=peers())
    with pytest.raises(DataError, match="--data FOLDER"):
        peers_run(PeerPlan("image"), None, peers=peers())


def test_a_model_in_a_folder_is_read_by_what_its_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    opinion = SimpleNamespace(score=lambda pixels: 0.5, weights={"model.safetensors": "ab"})
    for name in ("HubClassifier", "SafetyChecker"):
        monkeypatch.setattr(
            f"guardrail.checks.image.nudity.hub.{name}.open", lambda self: asked.append(self) or opinion
        )
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "calm", "1": "lewd"}}), "utf-8")
    opened = hub.image_model(Hub("mine", tmp_path, ("lewd",))).open()
    assert opened.judge(picture(0.0)) == Answer("block", 0.5)
    assert dict(asked[0].labels) == {"calm": "harmless", "lewd": "explicit"}
    assert opened.told == {"sha256 of model.safetensors": "ab"}
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["StableDiffusionSafetyChecker"]}), "utf-8")
    hub.image_model(Hub("checker", tmp_path)).open()
    assert type(asked[1]).__name__ == "SafetyChecker"
    assert "is no folder" in hub.image_model(Hub("gone", tmp_path / "gone")).lacking


def test_a_guard_of_texts_a_classifier_and_a_sentence_encoder_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    scorer = SimpleNamespace(score=lambda text: 0.49, weights={})
    for where in ("sequence.SequenceScorer", "generative.GuardScorer"):
        monkeypatch.setattr(
            f"guardrail.checks.text.heavy.{where}.load", lambda asked: loaded.append(type(asked).__name__) or scorer
        )
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen3"}), "utf-8")
    assert hub.text_model(Hub("guard", tmp_path), None, 1).open().judge("a") == Answer("allow", 0.49)
    hub.text_model(Hub("classifier", tmp_path, ("NSFW",)), None, 1).open()
    assert loaded == ["GenerativeGuard", "Classifier"]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), "utf-8")
    sentences = hub.text_model(Hub("minilm", tmp_path), None, 1)
    assert sentences.name == "minilm embeddings + linear head"
    assert sentences.lacking
    names = [p.name for p in hub.absent("text", {"qwen3guard"})]
    assert names == ["Llama Guard", "ShieldGemma", "MiniLM"]
