"""How long `guardrail policy simulate` takes to decide a log again.

    python benchmarks/simulate.py [--records N] [--runs N] [--json FILE]

A log of N decisions is made as a guard writes it: random signals, decided by the default policy over the stages of the
request, with reasons, timings and hashes of the usual size. Three quarters are prompts with their output, one in five
has a reference image. Then the command runs as a user types it, on one core, in a process of its own: the figures
include starting Python, reading and verifying every record, and printing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from guardrail.actions import action_kinds
from guardrail.audit import AuditLog
from guardrail.decision import Action, Decision, EffectiveCheck, new_decision_id
from guardrail.keys import load_keyring
from guardrail.paths import shipped_policies
from guardrail.policy import BuiltinEngine, load_policy
from guardrail.signals import CORE, Stage

CHECKS = ("sexual-text", "minor-words", "person-names", "faces", "nudity")
SHAPES = (
    (4, (Stage.PROMPT, Stage.OUTPUT)),
    (1, (Stage.PROMPT, Stage.REFERENCE, Stage.OUTPUT)),
    (1, (Stage.PROMPT,)),
)


def score(chance: random.Random) -> float:
    """Mostly harmless, as in real traffic: one in ten lies anywhere."""
    return round(chance.random() * (1.0 if chance.random() < 0.1 else 0.15), 6)


def face(chance: random.Random, consent: bool) -> dict[str, Any]:
    found = {"real": score(chance), "identifiable": chance.random() < 0.5, "match": score(chance), "gallery": "none"}
    return found | ({"consent": chance.choice(("yes", "unknown"))} if consent else {})


def measured(chance: random.Random, stages: tuple[Stage, ...]) -> dict[str, Any]:
    signals: dict[str, Any] = {"context.purpose": "", "context.locale": "en", "request.unverified": ()}
    signals |= {"prompt.sexual": score(chance), "prompt.minor": score(chance)}
    signals["prompt.persons"] = ({"match": 0.9, "kind": "public"},) if chance.random() < 0.05 else ()
    for stage in stages[1:]:
        signals[f"{stage}.nudity"] = score(chance) if chance.random() > 0.002 else None
        faces = (face(chance, stage is Stage.REFERENCE) for _ in range(chance.choice((0, 1, 1, 2))))
        signals[f"{stage}.faces"] = tuple(faces)
    if Stage.OUTPUT in stages:
        signals["output.markable"] = "full"
    return signals


def decided(chance: random.Random, engine: BuiltinEngine) -> dict[str, Any]:
    """A decision as the guard would record it."""
    (stages,) = chance.choices([shape for _, shape in SHAPES], [weight for weight, _ in SHAPES])
    signals = measured(chance, stages)
    action, reasons, asked = Action.ALLOW, [], []
    for stage in stages:
        asked.append(stage)
        verdict = engine.evaluate(signals, stage=stage, due=frozenset(asked))
        reasons += verdict.reasons
        action = max(action, verdict.action, key=lambda a: a.rank)
        if action is Action.BLOCK:
            break
    timings = {f"{stage.value}.{what}": chance.random() for stage in asked for what in (*CHECKS[:3], "policy")}
    known = {name: value for name, value in signals.items() if not name.startswith(tuple(set(stages) - set(asked)))}
    return Decision(
        new_decision_id(time.time_ns() // 10**6, os.urandom(10)),
        Action.ALLOW if action is Action.LABEL else action,
        asked[-1],
        engine.ref,
        reasons=tuple(reasons),
        signals=known,
        effective=tuple(EffectiveCheck(name, "1.0", {"model.onnx": "cd" * 32}) for name in CHECKS),
        timings_ms=timings,
        context={"locale": "en"},
        due=tuple(asked),
        inputs={"text_hashes": (os.urandom(16).hex(),)},
        mark_id=os.urandom(8).hex(),
        created="2026-01-01T00:00:00.000Z",
    ).to_json()


def write(path: Path, records: int) -> float:
    """A log of so many decisions; returns the mean bytes of a body."""
    policy = load_policy("default", vocabulary=CORE, actions=action_kinds(), shipped=shipped_policies())
    engine, chance, size = BuiltinEngine(policy), random.Random(3), 0
    keyring = load_keyring()
    with AuditLog(path, key=keyring.derive("audit"), key_id=keyring.active, durability="normal") as log:
        for begin in range(0, records, 1_000):
            bodies = [decided(chance, engine) for _ in range(min(1_000, records - begin))]
            size += sum(len(json.dumps(body, separators=(",", ":"))) for body in bodies)
            log.append_many([("decision", body) for body in bodies])
    return size / records


def timed(arguments: list[str]) -> tuple[float, float, dict[str, Any]]:
    """(wall, CPU) seconds of a command on one core, and what it printed."""
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "from guardrail.cli import main; main()", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    )
    wall, after = time.perf_counter() - begun, os.times()
    assert done.returncode in (0, 1), done.stderr
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, spent, json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GUARDRAIL_HOME"] = folder
        log = Path(folder) / "audit.sqlite"
        size = write(log, given.records)
        lines = Path(folder) / "audit.jsonl"
        from guardrail.audit import records
        from guardrail.guard.build import open_audit

        with open_audit(log, load_keyring()) as opened, lines.open("w") as file:
            file.writelines(json.dumps(r.body) + "\n" for r in records(opened, None, type="decision"))
        command = ["policy", "simulate", "--under", "default"]
        ways = {
            "the same policy, from the record": [*command, "--log", str(log)],
            "other thresholds, from the record": [
                *[*command, "--log", str(log)],
                *("--threshold", "sexual.suggestive=0.3", "--threshold", "nudity.partial=0.25"),
            ],
            "the same policy, from JSON lines": [*command, "--log", str(lines)],
            "two policies, from the record": [*command, "--log", str(log), "--policy", "default"],
        }
        rows = []
        for name, arguments in ways.items():
            runs = [timed(arguments) for _ in range(given.runs)]
            told = runs[0][2]
            wall, spent = [w for w, _, _ in runs], [c for _, c, _ in runs]
            rows.append(
                {
                    "what": name,
                    "records": told["records"],
                    "replayed": told["replayed"],
                    "flipped": told["flipped"]["count"],
                    "wall_s_median": round(statistics.median(wall), 2),
                    "wall_s_worst": round(max(wall), 2),
                    "cpu_s_median": round(statistics.median(spent), 2),
                }
            )
            print(rows[-1])
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    result = {
        "command": "python benchmarks/simulate.py " + " ".join(sys.argv[1:]),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}; one core used, beside other work (load averages {load})",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "bytes_a_record": round(size),
        "rows": rows,
    }
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
        given.json.with_suffix(".md").write_text(markdown(result))


def markdown(result: dict[str, Any]) -> str:
    lines = [
        "# `guardrail policy simulate`: how long it takes to decide a log again",
        "",
        f"`{result['command']}` on {result['date']}; {result['machine']}.",
        f"Bodies of {result['bytes_a_record']:,} bytes.",
        "The whole command: starting Python, reading and verifying every record, deciding, printing.",
        "",
        "| what | records | replayed | flipped | wall s, median | worst | CPU s, median |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        counts = " | ".join(f"{row[k]:,}" for k in ("records", "replayed", "flipped"))
        times = " | ".join(str(row[k]) for k in ("wall_s_median", "wall_s_worst", "cpu_s_median"))
        lines.append(f"| {row['what']} | {counts} | {times} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
