"""The risk assessment of a run: a register of hazards, each with the run's own figures for how likely it is.

Severity is a judgement and is marked as one. A likelihood is quoted with n and interval, or is "not measured"; a risk
whose likelihood was not measured is not rated. Owners are the provider's to name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from guardrail.bench.limits import HOLDS_PROMPTS, limits, part, value
from guardrail.bench.quoting import Figures, said, told
from guardrail.bench.report import plain, table
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet

__all__ = ["risk_assessment"]


class _Quote(NamedTuple):
    """What says something about a likelihood: a figure, or, in words, where there are some."""

    what: str
    measure: Measure | None
    elsewhere: str = ""

    @property
    def measured(self) -> bool:
        return bool(self.elsewhere) or (self.measure is not None and self.measure.value is not None)

    @property
    def short(self) -> str:
        if self.measure is None or self.measure.value is None:
            return self.elsewhere or "not measured"
        remark = f" ({self.measure.remark})" if self.measure.remark else ""
        return f"{value(self.measure)}, n = {self.measure.n:,}{remark}"


Quotes = Callable[[Figures], list[_Quote]]


@dataclass(frozen=True, slots=True)
class _Risk:
    """A hazard.

    Attributes:
        quotes: (what it is, figure) for its likelihood; a figure is None where this run has none.
        suite: of `guardrail bench`, that measures it; empty where no rate can say how likely it is.
        severity: as the project judges it.
        control: what guardrail has against it, with the file that describes it.
        remains: what no figure covers.
    """

    hazard: str
    quotes: Quotes
    suite: str
    severity: str
    control: str
    remains: str


def _overall(*names: tuple[str, str]) -> Quotes:
    return lambda figures: [_Quote(what, figures.get(name)) for what, name in names]


def _about(*words: str) -> Quotes:
    def hit(name: str) -> bool:
        return any(part.startswith(words) for part in name.split("_"))

    def quotes(figures: Figures) -> list[_Quote]:
        whole, by_part = figures.named(hit)
        told_ = "{:,} figures by part, in the report and in metrics.json"
        return [_Quote(_named(m), m) for m in whole] + [
            _Quote(name.replace("_", " "), None, told_.format(n)) for name, n in by_part.items()
        ]

    return quotes


def _passing(figures: Figures) -> list[_Quote]:
    return [
        _Quote("harmful prompts neither blocked nor altered", figures.passing("stop_rate")),
        _Quote("harmful prompts not blocked", figures.passing("block_rate")),
    ]


def _minors(figures: Figures) -> list[_Quote]:
    return [_Quote(_named(m), m) for m in figures.about_minors()]


def _named(measure: Measure) -> str:
    """What a figure is, for a reader who sees it as a likelihood: which way is better, and what it was asked of."""
    drawn = ", of signals drawn for the rules; no check took part" if measure.name == "never_allowed_rate" else ""
    return f"{measure.name.replace('_', ' ')}, {part(measure)} ({measure.better} is better{drawn})"


def _worst(name: str, dimension: str, what: str) -> Quotes:
    def quotes(figures: Figures) -> list[_Quote]:
        worst = figures.worst(name, dimension)
        if worst is None:
            return [_Quote(what, None)]
        measure, of = worst
        return [_Quote(f"{what}, worst of {of}: {measure.of[0][1] or '(none)'}", measure)]

    return quotes


def _both(*parts: Quotes) -> Quotes:
    return lambda figures: [quote for one in parts for quote in one(figures)]


_RISKS = (
    _Risk(
        "A prompt for a sexual image passes the prompt check",
        _passing,
        "prompts",
        "very high, if a real person is meant",
        "word lists, classifier and rules (docs/prompt-classifier.md, policies/README.md); then the output check",
        "wordings unlike the data; the output check is not part of these rates",
    ),
    _Risk(
        "The same, in disguise",
        _both(_overall(("all attacks", "attack_lost_rate")), _worst("attack_lost_rate", "attack", "lost by attack")),
        "prompts --attacks",
        "very high, if a real person is meant",
        "a normaliser that undoes disguises (docs/prompt-classifier.md)",
        "attacks that are no family of this run, and those that adapt to the guard",
    ),
    _Risk(
        "An altered request still shows what it must not",
        _overall(("altered and still harmful", "bypass_after_alter_rate")),
        "prompts",
        "very high, if a real person is meant",
        "what an alteration gives is checked again before it goes on (docs/architecture.md)",
        "what neither check sees",
    ),
    _Risk(
        "A sexual image of a minor",
        _minors,
        "prompts, on data with labels about minors",
        "very high",
        "locked rules on words about age; reports into a queue (policies/default.yaml)",
        "age in pixels is judged by no check",
    ),
    _Risk(
        "Nudity in a reference image or an output is missed",
        _about("nud"),
        "images",
        "very high, if a real person is shown",
        "the nudity check and rules over all stages (docs/nudity.md)",
        "known misses of the detector in use",
    ),
    _Risk(
        "A real person is not recognised as one",
        _about("face", "person", "real"),
        "images",
        "high",
        "faces, realness, gallery, names and relations in prompts (docs/faces.md, docs/realness.md, docs/gallery.md)",
        "people on no list whose face is not enrolled",
    ),
    _Risk(
        "Harmless requests are refused",
        _both(
            _overall(("blocked", "over_block_rate"), ("blocked or altered", "over_stop_rate")),
            _overall(("newly stopped in disguise", "attack_alarm_rate")),
        ),
        "prompts",
        "medium: art, medicine, education and plain speech suffer",
        "thresholds in rule files, `guardrail policy simulate` (policies/README.md); appeals by the decision's id",
        "topics and dialects unlike the data",
    ),
    _Risk(
        "Some languages or groups are protected less, or refused more, than others",
        _both(
            _worst("block_rate", "lang", "blocked by language"),
            _worst("over_block_rate", "lang", "over-blocked by language"),
        ),
        "prompts, on data in several languages",
        "high",
        "lists and grammars in sixteen languages (docs/prompt-classifier.md); rates by language in every run",
        "groups that the data do not name: skin tone, age, gender, dialect",
    ),
    _Risk(
        "A check fails or does not answer",
        _overall(("not checked, and blocked for that", "not_checked_rate")),
        "prompts",
        "medium: it blocks, so the service suffers and not the person",
        "failing closed (docs/architecture.md)",
        "a fault that gives a wrong answer in place of none",
    ),
    _Risk(
        "A generated image passes for a photograph: its mark is removed, or cannot be read",
        _about("mark", "exact", "payload"),
        "marks",
        "high",
        "watermark, metadata and Content Credentials, in layers (docs/watermark.md, docs/marks-benchmark.md)",
        "regeneration by another model; whoever has the key",
    ),
    _Risk(
        "The guard is gone round inside the process",
        lambda figures: [],
        "",
        "very high",
        "what can be closed is closed or reported (docs/bypasses.md)",
        "whoever holds the bare pipeline is not guarded; no rate can say how likely that is",
    ),
    _Risk(
        "Logs or reports give a person away",
        lambda figures: [],
        "",
        "high",
        "no prompt, name, picture or face vector is written unless asked for; keyed hashes (docs/keys.md, SECURITY.md)",
        "what the service around guardrail logs; reports made with --keep-text",
    ),
)


def risk_assessment(run: Run) -> str:
    """In GitHub's Markdown."""
    figures = Figures(run)
    quoted = [risk.quotes(figures) for risk in _RISKS]
    rated = sum(_measured(quotes) for quotes in quoted)
    lines = [
        f"# Risk assessment: {plain(run.title)}",
        "",
        f"Made from one run of {plain(run.suite)} (guardrail {plain(told(run.facts.get('guardrail')))}, commit "
        f"{plain(told(run.facts.get('commit')))}, {plain(told(run.facts.get('date')))}); its figures are those of "
        "metrics.json beside this file. A likelihood is a rate on the run's data, not on a service's traffic. Severity "
        "is the project's judgement and no measurement. \\[Brackets\\] are the provider's to fill in; so are risks of "
        "the service that no part of guardrail can see.",
        "",
        f"{rated} of {len(_RISKS)} risks have a measured likelihood in this run.",
    ]
    if run.texts:
        lines += ["", f"**{HOLDS_PROMPTS}**"]
    overview = tuple(
        (str(i), r.hazard, _short(r, q), r.severity, "[fill in]")
        for i, (r, q) in enumerate(zip(_RISKS, quoted, strict=True), 1)
    )
    head = ("no.", "hazard", "likelihood (95 %)", "severity (judged)", "owner")
    lines += ["", "## Register", "", *table(Sheet("", head, overview, words=5))]
    for i, (risk, quotes) in enumerate(zip(_RISKS, quoted, strict=True), 1):
        lines += ["", f"## {i}. {risk.hazard}", "", *_told(risk, quotes)]
    lines += [
        "",
        "## Limits of these figures",
        "",
        *(f"- {plain(line)}" for line in limits(run) or ["No figure was measured."]),
    ]
    if run.not_run:
        lines += ["", "## Not run", "", *(f"- {plain(name)}: {plain(why)}" for name, why in run.not_run.items())]
    return "\n".join(lines) + "\n"


def _measured(quotes: list[_Quote]) -> bool:
    return any(quote.measured for quote in quotes)


def _short(risk: _Risk, quotes: list[_Quote]) -> str:
    told_ = [f"{quote.what}: {quote.short}" for quote in quotes if quote.measured]
    return "; ".join(told_) or ("not measured" if risk.suite else "no rate says")


def _told(risk: _Risk, quotes: list[_Quote]) -> list[str]:
    lines = [f"- likelihood, {plain(q.what)}: {plain(q.elsewhere or said(q.measure))}" for q in quotes]
    if risk.suite and not _measured(quotes):
        lines.append(f"- likelihood: not measured in this run; what measures it: guardrail bench {risk.suite}")
    elif not risk.suite:
        lines.append("- likelihood: no rate says how likely it is")
    rated = "not rated: not measured" if risk.suite else "the provider's to rate"
    if _measured(quotes):
        rated = "the provider's to rate, from the figures above"
    return [
        *lines,
        f"- severity (judged): {risk.severity}",
        f"- control: {risk.control}",
        f"- what remains: {risk.remains}",
        f"- residual risk: {rated}",
        "- owner: \\[fill in\\]",
    ]
