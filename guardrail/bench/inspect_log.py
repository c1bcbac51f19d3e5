"""A run as a log of Inspect (inspect_ai, UK AI Security Institute): `inspect view` and its tables read it.

Nothing is measured here. A sample of the log is a line of results.jsonl, a metric is a figure of metrics.json, and what
is known of the run is what run.json says. The same folder gives the same bytes.

The fields are those of `inspect_ai.log.EvalLog` as of inspect_ai 0.3.285. They are made as plain objects, which
inspect_ai then checks and writes: the package is needed for the writing alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import isnan
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from guardrail.bench.files import DataError
from guardrail.bench.files import sha256 as sha256_of
from guardrail.bench.inspect_samples import SUITE, samples_of
from guardrail.bench.run.folder import METRICS, RUN, read_run
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.record import StoredRun
from guardrail.bench.run.samples import FILE
from guardrail.drafts import draft_of
from guardrail.errors import MissingExtra

__all__ = ["SUFFIXES", "Exported", "header_of", "write_inspect_log"]

_ARCHIVE = ".eval"
SUFFIXES = (_ARCHIVE, ".json")
"""By which Inspect knows its logs. It looks through all samples before it adds one to an archive: beyond some thousand,
the other one is written in a fraction of the time, and is three times as large."""
_SCORES = {
    "block": ("block_rate", "over_block_rate", "other_block_rate", "attack_block_lost_rate"),
    "stop": ("stop_rate", "over_stop_rate", "other_stop_rate", "attack_lost_rate", "attack_alarm_rate"),
    "score": (
        "auroc", "average_precision", "eer", "tpr_at_fpr", "ece", "brier", "pair_accuracy", "threshold_recall",
        "threshold_false_alarm_rate",
    ),
}  # fmt: skip
"""The score of a sample that a figure is made of; a figure of none of them stands under the name of the suite."""
_NORMAL_95 = 1.959964  # the 97.5 % point of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into a log: samples, figures, and whether the samples hold prompts."""

    path: Path
    samples: int
    figures: int
    texts: bool


def write_inspect_log(folder: Path, path: Path) -> Exported:
    """Write the run of `folder` as a log at `path`, in the place of what is there.

    Raises:
        DataError: `folder` holds no run, or files of two runs; `path` ends in none of `SUFFIXES`, or cannot be written.
        MissingExtra: inspect_ai is not installed.
    """
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: Inspect knows its logs by their name: let it end in {' or '.join(SUFFIXES)}")
    run = read_run(folder)
    try:
        from inspect_ai.log import EvalLog, EvalSample, write_eval_log
    except ImportError:
        raise MissingExtra("writing a log of Inspect", "inspect") from None
    identity = _identity(folder, run)
    try:
        samples = [EvalSample.model_validate(sample) for sample in samples_of(folder, run, identity)]
        counts = Counter(
            name for sample in samples for name, score in (sample.scores or {}).items() if _counts(score.value)
        )
        header = header_of(run, identity, [sample.id for sample in samples], counts)
        log = EvalLog(**header, samples=samples)
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{folder} was changed by hand: measure anew") from None
    try:
        with TemporaryDirectory() as place, draft_of(path.resolve()) as draft:
            written = Path(place) / f"log{path.suffix}"
            write_eval_log(log, str(written))
            if path.suffix == _ARCHIVE:
                _dated(written, draft, _begun(run))
            else:
                copyfile(written, draft)
            draft.replace(path.resolve())
    except OSError as error:
        raise DataError(f"{path} cannot be written to: {error.strerror}; name another file") from None
    figures = sum(len(score["metrics"]) for score in header["results"]["scores"])
    return Exported(path, len(samples), figures, bool(samples) and bool(run.run["holds_prompts"]))


def _counts(value: object) -> bool:
    """Whether Inspect reckons with it: NaN is its sign for a sample that was not scored."""
    return not (isinstance(value, float) and isnan(value))


def _identity(folder: Path, run: StoredRun) -> str:
    """Of the files that the log is made of: where inspect_ai draws an id, the log has one that follows from them."""
    names = (RUN, METRICS, *((FILE,) if run.suite == SUITE else ()))
    return sha256("".join(sha256_of(folder / name) for name in names).encode()).hexdigest()


def _dated(source: Path, target: Path, when: datetime) -> None:
    """The same archive with the date of the run on every file in it, where inspect_ai puts the time of writing."""
    date = when.timetuple()[:6]
    with ZipFile(source) as made, ZipFile(target, "w") as copied:
        for member in made.infolist():
            member.date_time = date
            with made.open(member) as read:
                content = read.read()
            copied.writestr(member, content)


# ---- what it is of, and its figures


def header_of(run: StoredRun, identity: str, ids: Sequence[str], scored: Mapping[str, int]) -> dict[str, Any]:
    """Fields of an `EvalLog` but its samples.

    Args:
        identity: hex digits that the ids follow from.
        ids: of the samples.
        scored: how many samples have each score.

    Raises:
        DataError: run.json holds no date.
    """
    begun = _begun(run)
    took = run.run["timing"].get("whole_seconds")
    ended = begun if took is None else begun + timedelta(seconds=float(took))
    return {
        "status": "success",
        "eval": _spec(run, identity, ids, begun),
        "plan": {"name": "guardrail", "steps": [{"solver": f"guardrail bench {run.suite}", "params": {}}]},
        "results": {
            "total_samples": len(ids),
            "completed_samples": len(ids),
            "scores": list(_figures(run, len(ids), scored)),
            "metadata": {
                "not_measured": {m.key: m.remark for m in run.measures.values() if m.value is None},
                "not_run": run.run["not_run"],
            },
        },
        "stats": {"started_at": begun.isoformat(), "completed_at": ended.isoformat()},
    }


def _begun(run: StoredRun) -> datetime:
    try:
        begun = datetime.fromisoformat(run.run["date"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        begun = None
    if begun is None or not 1980 <= begun.year < 2108:  # what an archive can say
        raise DataError(f"{RUN} holds no date, which a log of Inspect needs: measure anew")
    return begun


def _spec(run: StoredRun, identity: str, ids: Sequence[str], begun: datetime) -> dict[str, Any]:
    facts = run.run
    commit, limit = str(facts.get("commit") or ""), facts.get("limit")
    placed = ("format", "date", "packages", "commit", "not_run", "timing")
    return {
        "eval_id": identity[:22],
        "run_id": identity[22:44],
        "task_id": sha256(f"guardrail/{run.suite}".encode()).hexdigest()[:22],
        "created": begun.isoformat(),
        "task": f"guardrail/{run.suite}",
        "task_version": str(facts.get("guardrail", "")),
        "task_display_name": facts["title"],
        "dataset": {"name": _dataset(facts.get("data")), "samples": len(ids), "sample_ids": list(ids)},
        "model": "none",
        "config": {"epochs": 1, "limit": limit if isinstance(limit, int) else None},
        "revision": {
            # A working tree says nothing of where it came from that would be ours to publish.
            "type": "git", "origin": "", "commit": commit.partition("+")[0], "dirty": "+" in commit,
        } if commit else None,
        "packages": {"guardrail-diffusion": str(facts.get("guardrail", "")), **facts.get("packages", {})},
        "metadata": {
            **{name: value for name, value in facts.items() if name not in placed},
            "timing": facts["timing"],
            "samples": "one a prompt" if run.suite == SUITE else "none: only those of bench prompts go into a log",
        },
    }  # fmt: skip


def _dataset(data: Any) -> str | None:
    """The names of what was measured, as run.json describes them."""
    if isinstance(data, Mapping):
        described = [entry["name"] for entry in data.get("descriptions") or ()]
        data = [] if described else [*(data.get("files") or ()), *(data.get("folders") or ())]
        return ", ".join(dict.fromkeys([*described, *(entry["name"] for entry in data)])) or None
    return ", ".join(str(entry["name"]) for entry in data or () if "name" in entry) or None


def _figures(run: StoredRun, samples: int, scored: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """An `EvalScore` for each score and what its figures are told by: ``block``, ``block by label, lang``."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for measure in run.measures.values():
        if measure.value is not None:
            score = _score_of(run.suite, measure.name)
            name = score + (f" by {', '.join(k for k, _ in measure.of)}" if measure.of else "")
            groups.setdefault((score, name), {})[measure.key] = _metric(measure)
    order = [*_SCORES, run.suite]
    for (score, name), metrics in sorted(groups.items(), key=lambda g: (" by " in g[0][1], order.index(g[0][0]))):
        made: dict[str, Any] = {"name": name, "scorer": score, "metrics": metrics}
        if score in scored and name == score:
            made |= {"scored_samples": scored[score], "unscored_samples": samples - scored[score]}
        yield made


def _score_of(suite: str, measure: str) -> str:
    return next((score for score, names in _SCORES.items() if suite == SUITE and measure in names), suite)


def _metric(measure: Measure) -> dict[str, Any]:
    told = measure.to_json()
    del told["value"]
    if measure.intervals:
        # One number where Inspect's readers look for one: of the widest interval, as if it were a normal one.
        told["stderr"] = max(high - low for low, high in measure.intervals) / (2 * _NORMAL_95)
    return {"name": measure.key, "value": measure.value, "metadata": told}
