"""The risk assessment of a run: a register of hazards, each with the run's own figures for how likely it is.

Severity is a judgement and is marked as one. A likelihood is quoted with n and interval, or is "not measured"; a risk
whose likelihood was not measured is not rated. Owners are the provider's to name.
"""

from __future__ import annotations

from dataclasses import dataclass

from guardrail.bench.likelihoods import (
    Quote,
    Quotes,
    adaptive,
    both,
    lost,
    minors,
    minors_by_rules,
    not_checked,
    nothing,
    over,
    overall,
    own_pictures,
    passing,
    passing_own,
    unread_marks,
    worst_by,
)
from guardrail.bench.limits import HOLDS_PROMPTS, limits
from guardrail.bench.quoting import Figures, coded, said, told
from guardrail.bench.report import plain, table
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet

__all__ = ["risk_assessment"]


@dataclass(frozen=True, slots=True)
class _Risk:
    """A hazard.

    Attributes:
        quotes: what says how likely it is: shares of what went wrong.
        suite: of `guardrail bench`, that measures it; empty where no rate can say how likely it is.
        severity: as the project judges it.
        control: what guardrail has against it, with the file that describes it.
        remains: what no figure covers.
        evidence: what speaks for a control and says nothing of how likely the hazard is.
    """

    hazard: str
    quotes: Quotes
    suite: str
    severity: str
    control: str
    remains: str
    evidence: Quotes = nothing


_RISKS = (
    _Risk(
        "A prompt for a sexual image passes the prompt check",
        both(
            passing("harmful prompts neither blocked nor altered", "stop_rate"),
            passing("harmful prompts not blocked", "block_rate"),
            passing_own,
        ),
        "prompts",
        "very high, if a real person is meant",
        "word lists, classifier and rules (docs/prompt-classifier.md, policies/README.md); then the output check",
        "wordings unlike the data; the output check is not part of these rates",
    ),
    _Risk(
        "The same, in disguise",
        both(
            overall("caught as they came and lost in disguise", "attack_lost_rate"),
            worst_by("attack_lost_rate", "attack", "lost by attack"),
            adaptive,
        ),
        "prompts --attacks, guardrail bench adaptive",
        "very high, if a real person is meant",
        "a normaliser that undoes disguises (docs/prompt-classifier.md)",
        "attacks that are no family of this run, and those that adapt to the guard",
    ),
    _Risk(
        "An altered request still shows what it must not",
        overall("altered and still harmful", "bypass_after_alter_rate"),
        "prompts",
        "very high, if a real person is meant",
        "what an alteration gives is checked again before it goes on (docs/architecture.md)",
        "what neither check sees",
    ),
    _Risk(
        "A sexual image of a minor",
        minors,
        "prompts, on data with labels about minors",
        "very high",
        "locked rules on words about age; reports into a queue (policies/default.yaml)",
        "age in pixels is judged by no check",
        minors_by_rules,
    ),
    _Risk(
        "Nudity in a reference image or an output is missed",
        both(own_pictures, lost("nudity", "nudity found as the picture came and lost by an attack")),
        "images --attacks, guardrail bench peers --kind image",
        "very high, if a real person is shown",
        "the nudity check and rules over all stages (docs/nudity.md)",
        "known misses of the detector in use",
    ),
    _Risk(
        "A real person is not recognised as one",
        both(
            passing("pictures with a face in which none was found", "face_found_rate"),
            lost("faces", "a face found as the picture came and lost by an attack"),
            lost("real", "a face taken for real as the picture came and no longer after an attack"),
        ),
        "images, on pictures whose csv counts faces",
        "high",
        "faces, realness, gallery, names and relations in prompts (docs/faces.md, docs/realness.md, docs/gallery.md)",
        "people on no list whose face is not enrolled",
    ),
    _Risk(
        "Harmless requests are refused",
        over,
        "prompts",
        "medium: art, medicine, education and plain speech suffer",
        "thresholds in rule files, `guardrail policy simulate` (policies/README.md); appeals by the decision's id",
        "topics and dialects unlike the data",
    ),
    _Risk(
        "Some languages or groups are protected less, or refused more, than others",
        both(
            worst_by("block_rate", "lang", "harmful prompts not blocked by language"),
            worst_by("over_block_rate", "lang", "harmless prompts blocked by language"),
        ),
        "prompts, on data in several languages",
        "high",
        "lists and grammars in sixteen languages (docs/prompt-classifier.md); rates by language in every run",
        "groups that the data do not name: skin tone, age, gender, dialect",
    ),
    _Risk(
        "A check fails or does not answer",
        not_checked,
        "prompts",
        "medium: it blocks, so the service suffers and not the person",
        "failing closed (docs/architecture.md)",
        "a fault that gives a wrong answer in place of none",
    ),
    _Risk(
        "A generated image passes for a photograph: its mark is removed, or cannot be read",
        unread_marks,
        "marks",
        "high",
        "watermark, metadata and Content Credentials, in layers (docs/watermark.md, docs/marks-benchmark.md)",
        "regeneration by another model; whoever has the key",
    ),
    _Risk(
        "The guard is gone round inside the process",
        nothing,
        "",
        "very high",
        "what can be closed is closed or reported (docs/bypasses.md)",
        "whoever holds the bare pipeline is not guarded; no rate can say how likely that is",
    ),
    _Risk(
        "Logs or reports give a person away",
        nothing,
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
    beside = [risk.evidence(figures) for risk in _RISKS]
    rated = sum(_measured(quotes) for quotes in quoted)
    lines = [
        f"# Risk assessment: {plain(run.title)}",
        "",
        f"Made from one run of {plain(run.suite)} (guardrail {plain(told(run.facts.get('guardrail')))}, commit "
        f"{plain(told(run.facts.get('commit')))}, {plain(told(run.facts.get('date')))}); its figures are those of "
        "metrics.json beside this file. A likelihood is a share of what went wrong on the run's data, not on a "
        "service's traffic: of a rate of what went well, what it leaves. Severity is the project's judgement and no "
        "measurement. \\[Brackets\\] are the provider's to fill in; so are risks of the service that no part of "
        "guardrail can see.",
        "",
        f"{rated} of {len(_RISKS)} risks have a measured likelihood in this run.",
    ]
    if run.texts:
        lines += ["", f"**{HOLDS_PROMPTS}**"]
    overview = tuple(
        (str(i), r.hazard, _short(r, q, e), r.severity, "[fill in]")
        for i, (r, q, e) in enumerate(zip(_RISKS, quoted, beside, strict=True), 1)
    )
    head = ("no.", "hazard", "likelihood (95 %)", "severity (judged)", "owner")
    lines += ["", "## Register", "", *table(Sheet("", head, overview, words=5))]
    for i, (risk, quotes, evidence) in enumerate(zip(_RISKS, quoted, beside, strict=True), 1):
        lines += ["", f"## {i}. {risk.hazard}", "", *_told(risk, quotes, evidence)]
    lines += [
        "",
        "## Limits of these figures",
        "",
        *(f"- {coded(line)}" for line in limits(run) or ["No figure was measured."]),
    ]
    if run.not_run:
        lines += ["", "## Not run", "", *(f"- {plain(name)}: {plain(why)}" for name, why in run.not_run.items())]
    return "\n".join(lines) + "\n"


def _measured(quotes: list[Quote]) -> bool:
    return any(quote.measured for quote in quotes)


def _short(risk: _Risk, quotes: list[Quote], evidence: list[Quote]) -> str:
    told_ = [f"{quote.what}: {quote.short}" for quote in quotes if quote.measured or quote.elsewhere]
    absent = "not measured" if risk.suite else "no rate says"
    return "; ".join(told_) or absent + ("; evidence below" if _measured(evidence) else "")


def _told(risk: _Risk, quotes: list[Quote], evidence: list[Quote]) -> list[str]:
    lines = [f"- likelihood, {plain(q.what)}: {plain(q.elsewhere or said(q.measure))}" for q in quotes]
    small = any(quote.elsewhere for quote in quotes)
    if risk.suite and not _measured(quotes) and not small:
        lines.append(f"- likelihood: not measured in this run; what measures it: guardrail bench {risk.suite}")
    elif not risk.suite:
        lines.append("- likelihood: no rate says how likely it is")
    lines += [f"- evidence, {plain(q.what)}: {plain(said(q.measure))}" for q in evidence]
    rated = f"not rated: {'too few samples' if small else 'not measured'}" if risk.suite else "the provider's to rate"
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
