"""A report as one HTML file: no script, nothing from elsewhere, curves drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from guardrail.bench.tables import Sheet, facts, sheets

__all__ = ["page"]

# Okabe and Ito's colours, told apart with any common colour blindness; the first is for all languages together.
_COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8a7d00")
_SIDE, _LEFT, _TOP, _BOTTOM = 330, 52, 26, 46  # pixels

_STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--faint:#667;--line:#d8d8de;--plot:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8ea;--paper:#17181b;--faint:#9a9aa8;--line:#3a3b42}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1080px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .3rem}p{color:var(--faint);margin:.2rem 0 .6rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}dt{color:var(--faint)}
dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem}
th,td{padding:.22rem .7rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;
font-variant-numeric:tabular-nums}
th.w,td.w{text-align:left}td.w{overflow-wrap:anywhere}th{color:var(--faint);font-weight:600}
figure{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}
svg{background:#fff;border-radius:4px}figcaption{font-size:.85rem}
.key{display:inline-block;width:1.4em;height:.5em;margin-right:.4em;border:1px solid #fff}
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    policy = report["policy"]
    title = f"{policy['id']} {policy['version']} on prompts"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        # Even if a text slipped through unescaped, the browser would run and fetch nothing.
        """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">""",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><dl>",
        *(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(report)),
        "</dl>",
        *_curves(report["scores"]),
        *(part for sheet in sheets(report) for part in _table(sheet)),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _table(sheet: Sheet) -> Iterator[str]:
    yield f"<h2>{escape(sheet.title)}</h2>"
    if sheet.note:
        yield f"<p>{escape(sheet.note)}</p>"
    yield '<div class="wide"><table><thead>'
    yield _row("th", sheet.head, sheet.words)
    yield "</thead><tbody>"
    for row in sheet.rows:
        yield _row("td", row, sheet.words)
    yield "</tbody></table></div>"


def _row(tag: str, cells: Sequence[str], words: int) -> str:
    kinds = (f'<{tag} class="w">' if i < words else f"<{tag}>" for i in range(len(cells)))
    return "<tr>" + "".join(f"{kind}{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True)) + "</tr>"


def _curves(scores: Mapping[str, Any]) -> Iterator[str]:
    drawn = [one for one in scores["by_language"] if one["roc"]][: len(_COLOURS)]
    if len(drawn) == 2:
        drawn = drawn[:1]  # one language only: it is all there is
    if not drawn:
        return
    left_out = sum(bool(one["roc"]) for one in scores["by_language"]) - len(drawn)
    yield f"<h2>ROC of {escape(scores['signal'])}</h2>"
    yield "<p>Dots: the policy's thresholds, over all rows. Right: up to 5 % false alarms, where a service can be.</p>"
    yield "<figure>"
    for most in (1.0, 0.05):
        yield _plot(drawn, most)
    yield "<figcaption>"
    for colour, one in zip(_COLOURS, drawn, strict=False):
        area = f"AUROC {one['auroc']['value']:.4f}"
        yield f'<div><span class="key" style="background:{colour}"></span>{escape(one["lang"])}: {area}</div>'
    if left_out and len(drawn) > 1:
        yield f"<div>{left_out} more languages in the table</div>"
    yield "</figcaption></figure>"


def _plot(drawn: Sequence[Mapping[str, Any]], most: float) -> str:
    """Recall over false alarms from 0 to `most`."""

    def at(false: float, true: float) -> tuple[str, str]:
        return f"{_LEFT + _SIDE * false / most:.1f}", f"{_TOP + _SIDE * (1 - true):.1f}"

    width, height = _LEFT + _SIDE + 16, _TOP + _SIDE + _BOTTOM
    parts = [
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="ROC, false alarms up to {100 * most:g} percent" font-family="sans-serif" font-size="11">'
    ]
    for i in range(6):
        false, true = most * i / 5, i / 5
        x, y = at(false, true)
        parts.append(f'<path d="M{x} {_TOP}V{_TOP + _SIDE}M{_LEFT} {y}H{_LEFT + _SIDE}" stroke="#e4e4ea"/>')
        parts.append(f'<text x="{x}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{100 * false:g}</text>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y}" dy="4" text-anchor="end">{100 * true:g}</text>')
    parts.append(f'<text x="{_LEFT + _SIDE / 2}" y="{height - 8}" text-anchor="middle">false alarms, %</text>')
    parts.append(f'<text x="{_LEFT}" y="14" text-anchor="start">recall, %</text>')
    for i, (colour, one) in reversed(list(enumerate(zip(_COLOURS, drawn, strict=False)))):
        line = " ".join(",".join(at(false, true)) for false, true in _within(one["roc"], most))
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{2.5 if i == 0 else 1.3}" '
            'stroke-linejoin="round"/>'
        )
    lowest = 0.0
    # The higher the limit the lower its dot: from the top down, names that would overlap are stacked.
    for point in sorted(drawn[0]["operating_points"], key=lambda p: float(p["limit"])):
        if point["recall"] and point["false_alarms"] and point["false_alarms"]["rate"] <= most:
            x, y = at(point["false_alarms"]["rate"], point["recall"]["rate"])
            lowest = max(float(y) + 14, lowest + 13)
            parts.append(f'<circle cx="{x}" cy="{y}" r="4.5" fill="#d55e00" stroke="#fff"/>')
            parts.append(f'<text x="{x}" y="{lowest:.1f}" dx="8">{escape(point["threshold"])}</text>')
    return "".join(parts) + "</svg>"


def _within(points: Sequence[Sequence[float]], most: float) -> Iterator[tuple[float, float]]:
    """The part of a curve up to `most` false alarms, cut where it leaves."""
    previous: tuple[float, float] | None = None
    for _, false, true in points:
        if false > most:
            if previous is not None:
                part = (most - previous[0]) / (false - previous[0])
                yield most, previous[1] + part * (true - previous[1])
            return
        previous = false, true
        yield previous
