"""Policy engines beside guardrail's own: the same conditions, the same signals.

The engines of guardrail give a whole verdict: which signals are there, reasons, merged actions. A `bare` package is
asked for true or false alone, from values taken as they are. Where a signal is missing, the first block and say why;
a bare engine raises, or decides on what is left.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from guardrail.bench.peers.base import Answer, Judge, Opened, Peer, package_version, without
from guardrail.bench.peers.cases import CONDITIONS, FACES, NUDITY, SEXUAL, Case, Condition
from guardrail.decision import Action
from guardrail.signals import SignalValue, Stage
from guardrail.version import __version__

__all__ = ["BUILTIN", "engines", "loops", "timed"]

BUILTIN = "guardrail (built-in)"
_DUE = frozenset({Stage.PROMPT, Stage.REFERENCE})
_REGO = """package guardrail.side

import data.guardrail.three
import rego.v1

decision := three.answer(manifest, outcome)

outcome["r"] := {rego}

manifest := {{
	"policy": {{"id": "side", "version": "1.0.0"}},
	"rules": {{"r": {{"at": ["reference"], "reads": [{reads}], "then": ["block"]}}}},
}}
"""
_RULE = (
    "policy: {{id: side, version: 1.0.0}}\nrules:\n  - id: r\n    at: reference\n    then: block\n    when: {when}\n"
)

Signals = Mapping[str, SignalValue]
Ask = Callable[[Signals], Answer]


def engines() -> list[Peer]:
    """All of them, the built-in one first."""
    apart = "a whole verdict"
    bare = "true or false"
    return [
        _peer(BUILTIN, _builtin, __version__, "Apache-2.0", apart, ""),
        _peer(
            "guardrail (CEL)",
            _cel,
            f"cel-expr-python {package_version('cel-expr-python')}".strip(),
            "Apache-2.0",
            apart,
            without("cel_expr_python", '"guardrail-diffusion[cel]"'),
        ),
        _peer(
            "guardrail (Rego)",
            _rego,
            f"regopy {package_version('regopy')}".strip(),
            "Apache-2.0; regopy MIT",
            apart,
            without("regopy", '"guardrail-diffusion[rego]"'),
        ),
        _peer(
            "cel-expr-python (bare)",
            _bare_cel_expr,
            package_version("cel-expr-python"),
            "Apache-2.0",
            bare,
            without("cel_expr_python", "cel-expr-python"),
        ),
        _peer(
            "cel-python (bare)",
            _bare_cel_python,
            package_version("cel-python"),
            "Apache-2.0",
            bare,
            without("celpy", "cel-python"),
        ),
        _peer(
            "cedarpy (bare)", _bare_cedar, package_version("cedarpy"), "Apache-2.0", bare, without("cedarpy", "cedarpy")
        ),
    ]


def _peer(name: str, make: Callable[[Condition], Ask], version: str, licence: str, decides: str, lacking: str) -> Peer:
    return Peer(name, "engine", partial(_opened, make), version, licence, decides, lacking=lacking)


def _opened(make: Callable[[Condition], Ask]) -> Opened:
    asks = [make(condition) for condition in CONDITIONS]
    return Opened(lambda case: asks[case.condition](case.signals))


def loops(judge: Judge, calls: int) -> dict[str, dict[str, float]]:
    """µs of one decision that fires among 2 faces, and among 20 of which only the last is a real one.

    p50 and p99 are of wall time; ``cpu_mean`` is processor time, which a busy machine moves less.
    """
    made = {}
    for count in (2, 20):
        faces = tuple({"real": 0.9 if i == count - 1 else 0.1, "identifiable": True} for i in range(count))
        case = Case("loop", 1, "", {SEXUAL: 0.9, FACES: faces, NUDITY: 0.1})
        # A slow engine is not asked as often: two seconds at most.
        begun = time.perf_counter()
        if judge(case).action != "block":
            continue  # it decides otherwise: its time is of something else
        once = time.perf_counter() - begun
        most = max(50, min(calls, int(2 / max(once, 1e-6))))
        spent = time.process_time()
        p50, p99 = timed(partial(judge, case), most)
        cpu = (time.process_time() - spent) * 1e6 / (most + most // 10 + 1)
        made[f"{count} faces"] = {"p50": p50, "p99": p99, "cpu_mean": cpu}
    return made


def timed(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """p50 and p99 of one call, in microseconds, after a tenth as many that warm it up."""
    for _ in range(calls // 10 + 1):
        call()
    clock = time.perf_counter_ns
    taken = []
    for _ in range(calls):
        start = clock()
        call()
        taken.append(clock() - start)
    taken.sort()
    return taken[len(taken) // 2] / 1e3, taken[int(len(taken) * 0.99)] / 1e3


def _engine(name: str, text: str) -> Ask:
    """One of guardrail's engines, with a policy of one rule."""
    from guardrail.policy.engines import engine_for

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, "utf-8")
        engine = engine_for(path)

    def ask(signals: Signals) -> Answer:
        verdict = engine.evaluate(signals, stage=Stage.REFERENCE, due=_DUE)
        return Answer("block" if verdict.action is Action.BLOCK else "allow")

    return ask


def _builtin(condition: Condition) -> Ask:
    return _engine("side.yaml", _RULE.format(when=condition.when))


def _cel(condition: Condition) -> Ask:
    return _engine("side.cel.yaml", _RULE.format(when=condition.cel))


def _rego(condition: Condition) -> Ask:
    reads = ", ".join(f'"{name}"' for name in condition.reads)
    return _engine("side.rego", _REGO.format(rego=condition.rego, reads=reads))


def _bare_cel_expr(condition: Condition) -> Ask:
    cel: Any = importlib.import_module("cel_expr_python").cel
    items = cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
    env = cel.NewEnv(variables={SEXUAL: cel.Type.DOUBLE, NUDITY: cel.Type.DOUBLE, FACES: items})
    expression = env.compile(condition.cel)

    def ask(signals: Signals) -> Answer:
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in signals.items() if v is not None}
        said = expression.eval(data=values).value()
        if not isinstance(said, bool):
            raise TypeError(f"an answer of the type {type(said).__name__}")
        return _decided(said)

    return ask


def _bare_cel_python(condition: Condition) -> Ask:
    celpy: Any = importlib.import_module("celpy")
    short = {SEXUAL: "sexual", NUDITY: "nudity", FACES: "faces"}
    text = condition.cel
    for name, plain in short.items():
        text = text.replace(name, plain)
    env = celpy.Environment()
    program = env.program(env.compile(text))

    def ask(signals: Signals) -> Answer:
        values = {
            short[name]: celpy.json_to_cel(list(v) if isinstance(v, tuple) else v)
            for name, v in signals.items()
            if v is not None
        }
        return _decided(bool(program.evaluate(values)))

    return ask


def _bare_cedar(condition: Condition) -> Ask:
    cedarpy: Any = importlib.import_module("cedarpy")
    policies = f"forbid(principal, action, resource) when {{ {condition.cedar} }};permit(principal, action, resource);"

    def ask(signals: Signals) -> Answer:
        sexual, nudity, faces = (signals[name] for name in (SEXUAL, NUDITY, FACES))
        context: dict[str, object] = {}
        if isinstance(sexual, float):
            context["sexual"] = round(sexual * 1000)
        if isinstance(nudity, float):
            context["nudity"] = round(nudity * 1000)
        if isinstance(faces, tuple):
            context["faces"] = [_real(face) for face in faces]
        request = {"principal": 'U::"a"', "action": 'A::"b"', "resource": 'R::"c"', "context": context}
        return _decided(not cedarpy.is_authorized(request, policies, []).allowed)

    return ask


def _real(face: Any) -> bool:
    return bool(face["real"] > 0.5 and face["identifiable"])


def _decided(fires: bool) -> Answer:
    return Answer("block" if fires else "allow")
