"""A made-up run of a realistic size: long labels, several scripts, 31 attack families, sixty rows, names that try to be
markup. Its figures mean nothing."""

from __future__ import annotations

from random import Random

from guardrail.bench.run.figures import Figure, Line, Points
from guardrail.bench.run.measures import Measure, of_area, of_rate
from guardrail.bench.run.record import Run
from guardrail.bench.statistics import Area, Rate
from guardrail.bench.tables import Sheet, share

__all__ = ["ATTACKS", "HOSTILE", "LANGUAGES", "made"]

HOSTILE = '<script>alert("x")</script><img src=http://guardrail.invalid/a.png>|`*[a](http://b)$\\frac$'
LANGUAGES = ["en", "ko", "zh", "ja", "es", "pt", "fr", "de", "it", "ru", "ar", "hi", "vi", "th", "id", "tr"]
ATTACKS = (
    "homoglyphs", "leetspeak", "zero-width", "spacing", "splitting", "jamo", "romanisation", "emoji", "base64", "rot13",
    "synonyms", "code-mixing", "junk-prefix", "junk-suffix", "token-shuffling", "negation", "prompt-weight",
    "prompt-switching", "visual-text", "reversed", "upper-case", "diacritics", "full-width", "misspelling",
    "vowel-drop", "doubled-letters", "bracketing", "html-entities", "hex",
    "한글 자모 분리 (긴 이름의 공격 계열)", "تمويه الحروف",
)  # fmt: skip
_LABELS = (
    "sexual",
    "위험한 요청: 옷을 벗기는 편집",
    "طلب تعديل صورة شخص حقيقي",
    "a label that somebody wrote out as a whole sentence, with commas and everything else",
    HOSTILE,
)


def made(*, texts: bool = False) -> Run:
    """The same one each time."""
    draw = Random(3)

    def rate(n: int, p: float) -> Rate:
        return Rate(sum(draw.random() < p for _ in range(n)), n)

    measures = [
        of_rate("block_rate", rate(900, 0.93), "higher"),
        of_rate("stop_rate", rate(900, 0.96), "higher"),
        of_rate("over_block_rate", rate(1200, 0.011), "lower"),
        of_rate("not_checked_rate", Rate(0, 2100), "lower"),
        Measure("bypass_after_alter_rate", better="lower", note="nothing was altered"),
        of_area("auroc", Area(0.981, 0.975, 0.986), 2100),
        of_area("auroc", None, 12, lang="tr"),
        Measure("ece", value=0.031, n=2100, unit="probability", better="lower"),
    ]
    for i, lang in enumerate(LANGUAGES):
        measures.append(of_rate("block_rate", rate(12 if i % 5 == 3 else 90, 0.9 - 0.02 * i), "higher", lang=lang))
    measures += [of_rate("block_rate", rate(250, 0.9), "higher", label=label) for label in _LABELS]
    lost = [rate(200, draw.random() * 0.4) for _ in ATTACKS]
    measures += [of_rate("attack_lost_rate", r, "lower", attack=a) for a, r in zip(ATTACKS, lost, strict=True)]
    parts = [f"{lang}, {kind}" for lang in LANGUAGES for kind in ("sexual", "nudity", "harmless", "موضوع")][:60]
    part_rates = [rate(80, draw.random()) for _ in parts]
    return Run(
        "prompts",
        f"default 1.4.0 on prompts {HOSTILE}",
        {
            "date": "2026-11-28T11:00:00+00:00",
            "command": f"guardrail bench prompts --data {HOSTILE}",
            "machine": "2 cores",
            "guardrail": "0.1.0",
            "commit": "f" * 40,
            "policy": {
                "id": "default",
                "version": "1.4.0",
                "sha256": "ab" * 32,
                "thresholds": {"sexual.likely": 0.9},
                "rules": {"real-person-sexual": "0" * 12, "eu-mark": "1" * 12},
            },
            "checks": [{"check": "prompt-lists", "version": "3", "weights": {}}],
            "data": [
                {"name": "made-up", "version": "1", "sha256": "e" * 64, "licence": "CC0-1.0", "not_for": ["claims"]}
            ],
        },
        tuple(measures),
        timing={"latency_ms": {"p50": 1.25}},
        told=(("policy", f"default 1.4.0, sha256 {'ab' * 32}"), ("data", HOSTILE)),
        sheets=(
            Sheet(
                "Disguises, alone",
                (
                    "family",
                    "n",
                    "blocked lost, %",
                    "n",
                    "or altered, %",
                    "n",
                    "alarms added",
                    "or altered",
                    "not checked",
                ),
                tuple(
                    (a, "200", share(r.to_json()), "200", share(r.to_json()), "1,200", "+0.60 (3)", "+0.20 (1)", "0")
                    for a, r in zip(ATTACKS, lost, strict=True)
                ),
                "Every word disguised.",
            ),
            Sheet(
                f"Sixty parts {HOSTILE}",
                ("part", "n", "blocked, % (95 %)", "remark"),
                tuple((p, "80", share(r.to_json()), "") for p, r in zip(parts, part_rates, strict=True)),
            ),
            Sheet("Labels", ("label", "n"), tuple((label, "250") for label in _LABELS)),
        ),
        figures=_figures(lost, parts, part_rates),
        not_run={"Qwen3Guard": "no folder given", HOSTILE: HOSTILE},
        texts=texts,
    )


def _figures(lost: list[Rate], parts: list[str], part_rates: list[Rate]) -> tuple[Figure, ...]:
    shares = tuple(i / 50 for i in range(51))
    rocs = tuple(
        Line(f"{lang}: AUROC {0.99 - 0.01 * i:.3f}", tuple(100 * s for s in shares), tuple(100 * s**p for s in shares))
        for i, (lang, p) in enumerate((lang, 0.05 + 0.03 * i) for i, lang in enumerate(["all", *LANGUAGES[:7]]))
    )
    dets = tuple(
        Line(name, shares, tuple(1 - s**p for s in shares))
        for name, p in (("guardrail default", 0.04), ("word list (better-profanity 0.7.0)", 0.3), (HOSTILE, 0.1))
    )
    queries, up = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0), (0.0, 1.0, 3.0, 8.0, 12.0, 14.0, 15.0)
    low = tuple(max(0.0, v - 3) for v in up)
    high = tuple(v + 4 for v in up)
    return (
        Figure("roc", "ROC of prompt.sexual", "false alarms (%)", "recall (%)", lines=rocs, caption="n = 2,100."),
        Figure("det", "DET", "false alarms (share)", "misses (share)", lines=dets, scale="probit", caption=HOSTILE),
        Figure(
            "queries",
            "Adaptive attack: success over queries",
            "queries",
            "prompts that got through in the end (%)",
            lines=(Line("default", queries, up, low, high), Line("strict", queries, low)),
            scale="log",
            caption="n = 200.",
        ),
        Figure(
            "attacks",
            "Recall lost by disguise",
            "blocked lost, of prompts caught as they came (%)",
            "attack family",
            points=(_points("lost", list(ATTACKS), lost),),
            x_limits=(0, 60),
            caption="n = 200 a family.",
        ),
        Figure(
            "parts",
            "Stop rate by part",
            "stopped (%)",
            "part",
            points=(
                _points("default", parts, part_rates),
                Points("strict", tuple(parts), tuple(float("nan") if i % 9 == 0 else 50.0 + i % 7 for i in range(60))),
            ),
            x_limits=(0, 100),
            caption="n = 80 a part.",
        ),
    )


def _points(name: str, labels: list[str], rates: list[Rate]) -> Points:
    low, high = (tuple(100 * r.interval[end] for r in rates) for end in (0, 1))
    return Points(name, tuple(labels), tuple(100 * r.value for r in rates), low, high)
