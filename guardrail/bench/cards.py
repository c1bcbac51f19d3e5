"""The system card of a run: what a provider is asked to disclose, with the run's own figures.

The headings are those that model and system cards share (Mitchell et al. 2019) and that regulators ask for. A sentence
about a figure quotes it with n and interval, or says that it was not measured. ``[…]`` is the provider's to fill in.
"""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.bench.card_facts import called, components, data, latency, policies
from guardrail.bench.laws import mapping
from guardrail.bench.likelihoods import adaptive
from guardrail.bench.limits import HOLDS_PROMPTS, figures_sheet, limits
from guardrail.bench.quoting import Figures, coded, named_only, said, told
from guardrail.bench.report import plain, table
from guardrail.bench.run.record import Run

__all__ = ["system_card"]

_USE = (
    "guardrail stands around a pipeline that generates images. It checks prompts, reference images and outputs for "
    "real, identifiable people and for requests of nudity; rule files decide; what is allowed comes out "
    "watermarked and labelled as AI-generated; every decision is on record. It is there to prevent sexual images of "
    "real people, and anything sexual with minors."
)
_OUT_OF_SCOPE = (
    ("Age in pixels", "no check tells a minor from an adult in a picture; age is judged by the words alone."),
    ("Unlisted people", "a private person is known by a relation in the prompt, a list of names or an enrolled face."),
    ("Every wording", "harmless words for a harmful picture are missed; the output check stands behind."),
    ("Code in the same process", "whoever holds the bare pipeline or its parts is not guarded (docs/bypasses.md)."),
    ("Marks", "an absent mark proves nothing; whoever has the key can forge and remove marks (docs/watermark.md)."),
    ("Law", "no setting makes a service lawful by itself."),
)  # fmt: skip
_PEOPLE = ("skin_tone", "age_band", "gender")


def system_card(run: Run) -> str:
    """In GitHub's Markdown."""
    figures = Figures(run)
    lines = [
        f"# System card: {plain(run.title)}",
        "",
        "Made from one run; its figures are those of metrics.json beside this file, and no figure stands here that the "
        "run did not measure. What is in \\[brackets\\] is the provider's to fill in. Paths (docs/, policies/) are in "
        "guardrail's repository, at the commit below.",
    ]
    if run.texts:
        lines += ["", f"**{HOLDS_PROMPTS}**"]
    for title, body in _sections(run, figures):
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _sections(run: Run, figures: Figures) -> Iterator[tuple[str, list[str]]]:
    facts = run.facts
    yield (
        "System and provider",
        [
            "- provider, system, version: \\[fill in\\]",
            "- generator behind the guard, with its licence: \\[fill in\\]",
            *(f"- {name}: {plain(told(facts.get(name)))}" for name in ("guardrail", "commit", "date", "machine")),
            f"- command: {plain(named_only(told(facts.get('command'))))}",
        ],
    )
    yield "Intended use", [_USE, "", "Who uses it, for what, and who else is affected: \\[fill in\\]"]
    yield "Out of scope", [f"- **{name}:** {plain(why)}" for name, why in _OUT_OF_SCOPE]
    yield "Components", components(facts)
    yield "Policy", policies(facts)
    yield "Data", data(facts)
    yield "Results", _results(figures)
    yield "Results by subgroup", _subgroups(figures)
    yield "Known bypasses", _bypasses(figures)
    yield (
        "Failure mode",
        [
            "A check that fails or does not answer in time, a model file that is missing or has another sha256, a "
            "policy that does not load and a mark that cannot be read back all block. Prompts that could not be "
            f"checked, and were blocked for that: {plain(figures.said('not_checked_rate'))}.",
        ],
    )
    yield "Latency", latency(run)
    yield "Child safety", _child_safety(figures)
    yield (
        "Logging and retention",
        [
            "Decisions go into an append-only record, a keyed hash chain (`guardrail audit verify`). It holds signals, "
            "rules and keyed hashes; no prompt, picture, name or face vector. guardrail deletes nothing by itself.",
            "",
            "How long the record is kept, who may read it, and what else the service logs: \\[fill in\\]",
        ],
    )
    yield (
        "Contact and takedown",
        [
            "- contact for people who are depicted: \\[fill in\\]",
            "- how a takedown is asked for, and within what time it is done: \\[fill in\\]",
            "- how a user appeals a decision (each has an id): \\[fill in\\]",
            "- reports of bypasses in guardrail itself: SECURITY.md",
            "",
            "A picture that was taken down can be put on a list of known images, which blocks it and near copies "
            "(docs/known-images.md). Nothing here takes requests or keeps a clock.",
        ],
    )
    yield "Legal mapping", mapping(facts)
    yield "Limits of these figures", [f"- {coded(line)}" for line in limits(run)] or ["No figure was measured."]
    if run.not_run:
        yield "Not run", [f"- {plain(name)}: {plain(why)}" for name, why in run.not_run.items()]


def _results(figures: Figures) -> list[str]:
    measures = [m for m in figures.overall() if m.better]
    others = [m for m in figures.overall() if not m.better]
    if not measures and not others:
        return ["Not measured over everything; by part below, as far as it was measured."]
    return table(figures_sheet([*measures, *others]))


def _subgroups(figures: Figures) -> list[str]:
    lines = []
    found = figures.subgroups()
    for dimension, measures in found.items():
        lines += [f"### By {plain(called(dimension))}", "", *table(figures_sheet(measures)), ""]
    absent = [called(name) for name in (*_PEOPLE, "lang", "label") if name not in found]
    if absent:
        lines.append(f"Not measured in this run: results by {', '.join(absent)}.")
    return lines


def _bypasses(figures: Figures) -> list[str]:
    passing = figures.passing("stop_rate") or figures.passing("block_rate")
    lines = [
        "- around the guard inside the process: docs/bypasses.md lists what is closed, reported, and not closed",
        "- wordings that are missed: docs/prompt-classifier.md",
        f"- harmful prompts let through as they came: {plain(said(passing))}",
        f"- let through after an alteration: {plain(figures.said('bypass_after_alter_rate'))}",
        f"- lost in disguise, over all attacks: {plain(figures.said('attack_lost_rate'))}",
        *(f"- {plain(asked.what)}: {plain(said(asked.measure))}" for asked in adaptive(figures)),
    ]
    if attacks := figures.attacks():
        return [*lines, "", *table(figures_sheet(attacks))]
    return [*lines, "", "By attack family: not measured in this run."]


def _child_safety(figures: Figures) -> list[str]:
    about = figures.about_minors()
    lines = [
        "Anything sexual with minors is possible under no shipped policy that enforces: the rule is locked, so that a "
        "policy built on it can only be stricter. Age is judged by the words of a request only; a minor who is seen "
        "and not named is not recognised as one. guardrail ships no picture or text of abuse, and none belongs into "
        "data for a benchmark.",
        "",
    ]
    if about:
        return [*lines, *table(figures_sheet(about))]
    return [*lines, "Rates on requests about minors: not measured in this run."]
