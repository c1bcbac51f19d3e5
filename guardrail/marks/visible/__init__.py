"""The visible label: a line of text on a plate, in a corner or along an edge, that nobody can overlook.

`wording` says what it reads, `fonts` which font has the characters, `setting` how lines are broken and how large they
are, `drawing` puts them into the pixels.
"""

from guardrail.marks.visible.drawing import PLACES, draw
from guardrail.marks.visible.fonts import ensure_drawable
from guardrail.marks.visible.wording import PRESETS, visible_text, wording

__all__ = ["PLACES", "PRESETS", "draw", "ensure_drawable", "visible_text", "wording"]
