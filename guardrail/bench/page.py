"""A report as one HTML file that fetches nothing.

Its style and its one script (which sorts tables) are allowed by their hashes and nothing else is, so that a text that
slipped through unescaped would neither run nor load anything. Without the script everything is there, unsorted.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from html import escape
from pathlib import Path

from guardrail.bench.colours import STYLE
from guardrail.bench.drawing import Drawn
from guardrail.bench.headline import MEASURED, headline
from guardrail.bench.limits import HOLDS_PROMPTS, figures_sheet, limits, worded
from guardrail.bench.run.record import Run
from guardrail.bench.svg import without_controls
from guardrail.bench.tables import Sheet

__all__ = ["page"]


_INTERVAL = re.compile(r" \([\d.]+–[\d.]+\)$")
_MOST_FIGURES = 2_000  # more rows make a browser slow


def page(run: Run, drawn: Drawn) -> str:
    """The whole page.

    Args:
        drawn: the run's figures, by `guardrail.bench.drawing.drawn`.
    """
    style, script = STYLE + _file("page.css"), _file("page.js")
    allowed = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    sections = list(_sections(run, drawn))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"""<meta http-equiv="Content-Security-Policy" content="{allowed}; form-action 'none'">""",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(run.title)}</title><style>{style}</style></head><body><main>",
        f"<h1>{_text(run.title)}</h1>",
        *([f'<p class="warning" role="note">{_text(HOLDS_PROMPTS)}</p>'] if run.texts else []),
        *_first(run),
        "<nav><h2>Contents</h2><ul>",
        *(f'<li><a href="#{name}">{_text(title)}</a></li>' for name, title, _ in sections),
        "</ul></nav>",
        *(
            f'<section id="{name}"{_shut(body)}><h2>{_text(title)}</h2>{body}</section>'
            for name, title, body in sections
        ),
        f"</main><script>{script}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    return escape(without_controls(text))


def _facts(told: Sequence[tuple[str, str]]) -> Iterator[str]:
    if told:
        pairs = (f"<dt>{_text(name)}</dt><dd><bdi>{_text(value)}</bdi></dd>" for name, value in told)
        yield f"<dl>{''.join(pairs)}</dl>"


def _first(run: Run) -> Iterator[str]:
    """What was found, and then with what: that is folded by the script, and open without it and on paper."""
    short = headline(run)
    if short is None:
        yield from _facts(run.told)
        return
    yield f'<section id="short"><h2>{short.title}</h2>{"".join(_table(short))}</section>'
    if run.told:
        yield f'<details class="facts" open><summary>{MEASURED}</summary>{"".join(_facts(run.told))}</details>'


def _sections(run: Run, drawn: Drawn) -> Iterator[tuple[str, str, str]]:
    """(id, title, body): what a reader has to know before the figures comes before them."""
    if run.not_run:
        note = '<p class="note">Not part of any figure below.</p>'
        yield "not-run", "Known, and did not run", note + "".join(_facts(list(run.not_run.items())))
    said = limits(run)
    if said:
        yield "limits", "Limits of these figures", "".join(f"<p>{_text(line)}</p>" for line in said)
    if run.figures:
        yield "plots", "Plots", _plots(run, drawn)
    for i, sheet in enumerate(run.sheets, 1):
        yield f"table-{i}", sheet.title, "".join(_table(sheet))
    if run.measures:
        sheet = figures_sheet(run.measures[:_MOST_FIGURES])
        if len(run.measures) > _MOST_FIGURES:
            left = f"The first {_MOST_FIGURES:,} of {len(run.measures):,}; metrics.json has all."
            sheet = replace(sheet, note=left)
        shut = "" if not run.sheets else f"<summary>{len(sheet.rows):,} figures, as in metrics.json</summary>"
        table = "".join(_table(sheet))
        yield "figures", sheet.title, f"<details>{shut}{table}</details>" if shut else table


def _shut(body: str) -> str:
    """What is folded is not printed."""
    return ' class="folded"' if body.startswith("<details>") else ""


def _plots(run: Run, drawn: Drawn) -> str:
    if drawn.left_out:
        return f"<p>Plots are left out. {_text(drawn.left_out)}.</p>"
    return (
        '<div class="plots">'
        + "".join(
            f"<figure><figcaption><h3>{_text(f.title)}</h3><p>{_text(f.caption)}</p></figcaption>"
            f"{drawn.plots[f.name]}</figure>"
            for f in run.figures
        )
        + "</div>"
    )


def _kind(cells: Sequence[str]) -> str:
    """Of a column of figures: those with an interval may be broken before it where there is little room."""
    return ' class="i"' if any(_INTERVAL.search(cell) for cell in cells) else ""


def _table(sheet: Sheet) -> Iterator[str]:
    if sheet.note:
        yield f'<p class="note">{_text(sheet.note)}</p>'
    if not sheet.rows:
        yield "<p>Nothing to show.</p>"
        return
    yield f'<div class="box" tabindex="0" role="region" aria-label="{_text(sheet.title)}"><table><thead><tr>'
    # A remark may begin with a number; it is no figure for all that.
    text = worded(sheet) | {i for i, name in enumerate(sheet.head) if name == "remark"}
    kinds = [' class="w"' if i in text else _kind(cells) for i, cells in enumerate(zip(*sheet.rows, strict=True))]
    for kind, name in zip(kinds, sheet.head, strict=True):
        yield f'<th scope="col"{kind}>{_text(name)}</th>'
    yield "</tr></thead><tbody>"
    for row in sheet.rows:
        yield "<tr>"
        for i, cell in enumerate(row):
            tag, scope = ("th", ' scope="row"') if i == 0 and sheet.words else ("td", "")
            # Its own direction, whatever script it is in.
            inside = f"<bdi>{_text(cell)}</bdi>" if i in text else _text(cell)
            yield f"<{tag}{scope}{kinds[i]}>{inside}</{tag}>"
        yield "</tr>"
    yield "</tbody></table></div>"
