"""What the policy room costs: verdicts per stage, 100 rules, loading, importing; and engines side by side.

    python benchmarks/policy.py [--json FILE] [--calls 5000]

The side-by-side table is one condition in one run: sexual words and a real, identifiable face among 2 or 20, of which
only the last is one. The engines of guardrail give a whole verdict (which signals are there, reasons, merged actions);
`bare` is the same package asked for nothing but true or false, from values that are taken as they are. cel-python and
cedarpy are no dependencies: pip install cel-python cedarpy, or their rows say that they are absent.

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
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.decision import Action  # noqa: E402 — after the path is set
from guardrail.errors import ConfigurationError  # noqa: E402
from guardrail.policy import BuiltinEngine, Policy, load_policy  # noqa: E402
from guardrail.policy.engines import engine_for  # noqa: E402
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


def timed(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """p50 and p99 of one call, in microseconds."""
    for _ in range(200):
        call()
    clock = time.perf_counter_ns
    taken = []
    for _ in range(calls):
        start = clock()
        call()
        taken.append(clock() - start)
    taken.sort()
    return taken[len(taken) // 2] / 1e3, taken[int(len(taken) * 0.99)] / 1e3


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


CONDITION = "prompt.sexual > 0.7 && reference.faces.exists(f, f.real > 0.5 && f.identifiable)"
RULE = "  - id: r\n    at: reference\n    then: block\n    when: "
SAME = {
    "side.yaml": f'{RULE}{{prompt.sexual: "> 0.7", reference.faces: {{any: {{real: "> 0.5", identifiable: true}}}}}}\n',
    "side.cel.yaml": f"{RULE}{CONDITION}\n",
}
REGO = """package guardrail.side

import data.guardrail.three
import rego.v1

decision := three.answer(manifest, outcome)

outcome["r"] := three.all_of([
	three.above("prompt.sexual", 0.7),
	three.some_item("reference.faces", [["real", ">", 0.5], ["identifiable", "==", true]]),
])

manifest := {
	"policy": {"id": "side", "version": "1.0.0"},
	"rules": {"r": {"at": ["reference"], "reads": ["prompt.sexual", "reference.faces"], "then": ["block"]}},
}
"""


def side_by_side(calls: int) -> list[Row]:
    """The same condition in every engine that is installed."""
    rows: list[Row] = []
    for count in (2, 20):
        faces = tuple({"real": 0.9 if i == count - 1 else 0.1, "identifiable": True} for i in range(count))
        given: dict[str, SignalValue] = {"prompt.sexual": 0.9, "reference.faces": faces}
        for label, make in ENGINES.items():
            row: Row = {"what": f"{label}, {count} faces", "p50_us": 0.0, "p99_us": 0.0, "note": "", "target_us": 0.0}
            rows.append(row)
            try:
                call = make(given)
            except ImportError as error:  # MissingExtra comes from one
                row["note"] = f"skipped: {error}"
                continue
            except ConfigurationError as error:
                row["note"] = f"skipped: {error}"
                continue
            assert call() is True, label
            slow = "Rego" in label or "cel-python" in label
            row["p50_us"], row["p99_us"] = timed(call, max(200, calls // 20) if slow else calls)
    return rows


def _engine(name: str, text: str, given: dict[str, SignalValue]) -> Callable[[], object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        head = "" if name.endswith(".rego") else "policy: {id: side, version: 1.0.0}\nrules:\n"
        path.write_text(head + text, "utf-8")
        engine = engine_for(path)
    due = frozenset({Stage.PROMPT, Stage.REFERENCE})
    return lambda: engine.evaluate(given, stage=Stage.REFERENCE, due=due).action is Action.BLOCK


def _bare_cel_expr(given: dict[str, SignalValue]) -> Callable[[], object]:
    from cel_expr_python import cel

    items = cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
    env = cel.NewEnv(variables={"prompt.sexual": cel.Type.DOUBLE, "reference.faces": items})
    expression, values = env.compile(CONDITION), {**given, "reference.faces": list(given["reference.faces"])}  # type: ignore[arg-type]
    return lambda: expression.eval(data=values).value() is True


def _bare_cel_python(given: dict[str, SignalValue]) -> Callable[[], object]:
    import celpy

    env = celpy.Environment()
    program = env.program(env.compile(CONDITION.replace("prompt.sexual", "sexual").replace("reference.faces", "faces")))
    values = {"sexual": given["prompt.sexual"], "faces": list(given["reference.faces"])}  # type: ignore[arg-type]
    activation = {name: celpy.json_to_cel(value) for name, value in values.items()}
    return lambda: bool(program.evaluate(activation))


def _bare_cedar(given: dict[str, SignalValue]) -> Callable[[], object]:
    import cedarpy

    # Cedar has no `any` over records and no fractions but its decimals: the caller asks the faces, in thousandths.
    policies = "forbid(principal, action, resource) when { context.sexual > 700 && context.faces.contains(true) };"
    policies += "permit(principal, action, resource);"

    def call() -> object:
        faces = [bool(f["real"] > 0.5 and f["identifiable"]) for f in given["reference.faces"]]  # type: ignore[union-attr, index, operator]
        context = {"sexual": round(given["prompt.sexual"] * 1000), "faces": faces}  # type: ignore[operator]
        request = {"principal": 'U::"a"', "action": 'A::"b"', "resource": 'R::"c"', "context": context}
        return not cedarpy.is_authorized(request, policies, []).allowed

    return call


ENGINES: dict[str, Callable[[dict[str, SignalValue]], Callable[[], object]]] = {
    "built-in engine": partial(_engine, "side.yaml", SAME["side.yaml"]),
    "CEL engine (cel-expr-python)": partial(_engine, "side.cel.yaml", SAME["side.cel.yaml"]),
    "Rego engine (regopy)": partial(_engine, "side.rego", REGO),
    "bare cel-expr-python": _bare_cel_expr,
    "bare cel-python": _bare_cel_python,
    "bare cedarpy": _bare_cedar,
}


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
