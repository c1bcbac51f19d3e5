"""The demo's report: one self-contained HTML file with the pictures in it."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guardrail.demo.run import CaseResult, DemoRun

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["write_report"]

THUMBNAIL = 176
_STYLE = """
:root{color-scheme:light dark;--line:#d4d4d8;--soft:#71717a;--ok:#15803d;--alter:#b45309;--no:#b91c1c;--card:#fafafa}
@media(prefers-color-scheme:dark){:root{--line:#3f3f46;--soft:#a1a1aa;--ok:#4ade80;--alter:#fbbf24;--no:#f87171;
--card:#18181b}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1080px;padding:24px 16px}
h1{font-size:1.5rem;margin:0 0 4px}p{margin:4px 0}.soft{color:var(--soft)}
.note{border-left:4px solid var(--alter);padding:6px 12px;margin:12px 0;background:var(--card)}
article{border:1px solid var(--line);border-radius:8px;padding:12px 14px;margin:14px 0;background:var(--card)}
article.bad{border:2px solid var(--no)}
h2{font-size:1.05rem;margin:0 0 4px}code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
.tag{display:inline-block;border-radius:4px;padding:0 8px;font-weight:600;border:1px solid currentColor}
.allow{color:var(--ok)}.alter{color:var(--alter)}.block{color:var(--no)}
@media(min-width:720px){article{display:grid;grid-template-columns:1fr auto;gap:4px 20px}}
.pictures{display:flex;flex-wrap:wrap;gap:12px;max-width:564px}
figure{margin:0;width:176px}figure img{width:176px;height:176px;object-fit:cover;border-radius:6px;display:block}
figcaption{font-size:.8rem;color:var(--soft);overflow-wrap:anywhere}
ul{margin:6px 0;padding-left:20px}
"""


def write_report(run: DemoRun, path: Path) -> None:
    """Write the report of a run."""
    good = sum(r.ok for r in run.results)
    standin = (
        '<p class="note">No model was given, so the pictures come from the <b>stand-in model</b>: a small Stable '
        "Diffusion of the project's own that knows eight shapes and colours, houses, trees, boats, persons and faces "
        "at 64×64, shown enlarged. It ignores words that it does not know; so small a picture has a fragile mark. "
        "Prompts, photographs, checks, decisions and marks are real. With a model: "
        "<code>guardrail demo --model ID_OR_FOLDER</code>.</p>"
        if run.standin
        else ""
    )
    body = "\n".join(_case(r) for r in run.results)
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>guardrail demo</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>guardrail demo</h1><p>{good} of {len(run.results)} cases decided as expected. "
        f'<span class="soft">Policy {escape(run.policy)}; generator: {escape(run.model)}; '
        f"checks: {escape(', '.join(run.effective))}.</span></p>{standin}{body}</body></html>",
        "utf-8",
    )


def _case(result: CaseResult) -> str:
    parts = [f"<h2>{escape(result.case.title)}</h2>"]
    for prompt in result.case.prompts:
        parts.append(f"<p>prompt: <code>{escape(_visible(prompt))}</code></p>")
    if result.case.signals:
        given = ", ".join(f"{k} {v}" for k, v in result.case.signals.items() if v != ())
        parts.append(f"<p>signals: <code>{escape(given)}</code></p>")
    for i, decision in enumerate(result.decisions):
        number = f"{i + 1}. " if len(result.decisions) > 1 else ""
        action = decision.action.value
        parts.append(f'<p>{number}<span class="tag {action}">{action}</span> {escape(decision.message())}</p>')
        rows = [f"<code>{escape(r.rule or r.kind)}</code>: {escape(r.describe())}" for r in decision.reasons]
        if rows:
            parts.append("<ul>" + "".join(f"<li>{row}</li>" for row in rows) + "</ul>")
    for note in dict.fromkeys(result.notes):
        parts.append(f'<p class="soft">{escape(note)}</p>')
    for difference in result.differences:
        parts.append(f'<p class="block"><b>not as expected:</b> {escape(difference)}</p>')
    figures = []
    if result.before is not None and result.after is not None:
        figures.append(_figure(result.before, "reference as given"))
        if result.after is not result.before:
            figures.append(_figure(result.after, "reference as the pipeline got it"))
    for image, says in zip(result.outputs, result.verified, strict=False):
        figures.append(_figure(image, f"output; {says}"))
    pictures = f'<div class="pictures">{"".join(figures)}</div>' if figures else ""
    return f'<article class="{"" if result.ok else "bad"}"><div>{"".join(parts)}</div>{pictures}</article>'


def _visible(prompt: str) -> str:
    """The prompt with characters that are drawn as nothing made visible."""
    return "".join(f"⟨U+{ord(c):04X}⟩" if not c.isprintable() else c for c in prompt)


def _figure(image: Image, caption: str) -> str:
    from PIL.Image import Resampling, fromarray

    # Pixels only: a thumbnail in a report is no release, and needs no label.
    small = fromarray(np.asarray(image.convert("RGB")))
    if max(small.size) < THUMBNAIL:
        # Whole pixels, not a blur: a reader should see how large the picture is.
        factor = -(-2 * THUMBNAIL // max(small.size))
        small = small.resize((small.width * factor, small.height * factor), Resampling.NEAREST)
    small.thumbnail((2 * THUMBNAIL, 2 * THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
