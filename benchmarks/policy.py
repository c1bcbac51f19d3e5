"""What the policy room costs: verdicts per stage, 100 rules, loading, importing; and engines side by side.

    python benchmarks/policy.py [--json FILE] [--calls 5000]

The side-by-side table is one condition in one run: sexual words and a real, identifiable face among 2 or 20, of which
only the last is one. The engines of guardrail give a whole verdict (which signals are there, reasons, merged actions);
`bare` is the same package asked for nothing but true or false, from values that are taken as they are. cel-python and
cedarpy are no dependencies: pip install cel-python cedarpy, or their rows say that they are absent. Whether they decide
alike: guardrail bench peers --kind engine.

Signals are those of an image-to-image request with two faces. `allow` is the common case; `fire` blocks, with reasons.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.bench.peers.engines import engines, loops, timed  # noqa: E402 — after the path is set
from guardrail.errors import ConfigurationError  # noqa: E402
from guardrail.policy import BuiltinEngine, Policy, load_policy  # noqa: E402
from guardrail.signals import SignalValue, Stage  # noqa: E402

DEFAULT = ROOT / "policies" / "default.yaml"
TARGETS = {"verdict": 50.0, "hundred": 100.0, "load": 60_000.0, "import": 30_000.0}  # microseconds

Row = dict[str, str | float]


def signals(*, firing: bool) -> dict[str, SignalValue]:
    """An image-to-image request, everything measured; `firing` asks for a nude of a photographed person."""
    face: dict[str, float | bool | str | None] = {
        "real": 0.93,
        "identifiable": True,
        "match": 0.11,
        "gallery": "consented",
        "consent": "yes",
    }
    second = {**face, "real": 0.08, "match": 0.22, "gallery": "none"}
    return {
        "prompt.sexual": 0.82 if firing else 0.04,
        "prompt.minor": 0.31 if firing else 0.02,
        "prompt.persons": ({"match": 0.9, "kind": "public"},) if firing else (),
        "reference.faces": ({**face, "consent": "no"}, second) if firing else (face, second),
        "reference.nudity": 0.7 if firing else 0.05,
        "step.nudity": 0.5 if firing else 0.03,
        "output.nudity": 0.8 if firing else 0.06,
        "output.faces": ({"real": 0.9, "identifiable": True, "match": 0.1, "gallery": "none"},),
        "output.markable": "full",
        "request.unverified": (),
    }


def verdicts(policy: Policy, calls: int, label: str, target: float) -> list[Row]:
    engine = BuiltinEngine(policy)
    rows: list[Row] = []
    for stage in Stage:
        due = frozenset(s for s in Stage if s.position <= stage.position)
        for path in ("allow", "fire"):
            given = signals(firing=path == "fire")
            deadline = time.monotonic() + 3600.0
            call = partial(engine.evaluate, given, stage=stage, due=due, deadline=deadline)
            verdict = call()
            p50, p99 = timed(call, calls)
            rows.append(
                {
                    "what": f"{label}, {stage}, {path}",
                    "p50_us": p50,
                    "p99_us": p99,
                    "note": f"{verdict.action.value}, {len(verdict.reasons)} reasons",
                    "target_us": target,
                }
            )
    return rows


def hundred_rules(policy: Policy) -> Policy:
    """The same rules again and again under other ids: in the firing path, a third of them fire."""
    rules = tuple(replace(r, id=f"{r.id}-{i}") for i in range(9) for r in policy.rules)
    return replace(policy, rules=rules[:100])


def loading() -> list[Row]:
    times = []
    for _ in range(30):
        start = time.perf_counter()
        load_policy(DEFAULT)
        times.append((time.perf_counter() - start) * 1e6)
    times.sort()
    size = f"{DEFAULT.stat().st_size:,} bytes"
    return [
        {
            "what": "load default.yaml",
            "p50_us": times[15],
            "p99_us": times[-1],
            "note": size,
            "target_us": TARGETS["load"],
        }
    ]


def importing() -> list[Row]:
    """Wall time of importing in fresh interpreters, with bytecode cached as in an installation."""
    shared = "import guardrail.decision"
    room = "import guardrail.policy"
    code = "import time; {before}; a = time.perf_counter(); {what}; print((time.perf_counter() - a) * 1e6)"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache:
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": cache}

        def fresh(before: str, what: str) -> float:
            command = [sys.executable, "-c", code.format(before=before, what=what)]
            return float(subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout)

        fresh("pass", room)
        cases = [
            ("the room, shared types included", "pass", room),
            ("the room alone", shared, room),
            ("shared types", "pass", shared),
        ]
        for label, before, what in cases:
            times = sorted(fresh(before, what) for _ in range(15))
            target = TARGETS["import"] if "room" in label else 0.0
            rows.append(
                {
                    "what": f"import {label}",
                    "p50_us": statistics.median(times),
                    "p99_us": times[-1],
                    "note": "",
                    "target_us": target,
                }
            )
    return rows


def side_by_side(calls: int) -> list[Row]:
    """The same condition in every engine that is installed: those of `guardrail bench peers --kind engine`."""
    rows: list[Row] = []
    for peer in engines():
        try:
            found = {} if peer.lacking else loops(peer.open().judge, calls)
            note = peer.lacking
        except (ConfigurationError, ImportError) as error:
            found, note = {}, str(error)
        if not found:
            rows.append({"what": peer.name, "p50_us": 0.0, "p99_us": 0.0, "note": f"skipped: {note}", "target_us": 0.0})
        for case, at in found.items():
            row: Row = {"what": f"{peer.name}, {case}", "p50_us": at["p50"], "p99_us": at["p99"], "note": peer.version}
            rows.append({**row, "target_us": 0.0})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--calls", type=int, default=5_000, help="calls per row")
    args = parser.parse_args()
    policy = load_policy(DEFAULT)
    rows = verdicts(policy, args.calls, f"{len(policy.rules)} rules", TARGETS["verdict"])
    rows += verdicts(hundred_rules(policy), max(500, args.calls // 10), "100 rules", TARGETS["hundred"])
    rows += loading() + importing() + side_by_side(args.calls)
    print(f"{'':44}{'p50 µs':>12}{'max or p99':>12}{'target':>10}  note")
    for row in rows:
        print(
            f"{row['what']:44}{row['p50_us']:12,.1f}{row['p99_us']:12,.1f}{row['target_us'] or '':>10}  {row['note']}"
        )
    if args.json:
        about = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
        args.json.write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
