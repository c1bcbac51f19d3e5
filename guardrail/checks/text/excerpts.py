"""Of a long text only the plain reading is read as a whole; of all others what is not the same there, with its
surroundings. A few words in disguise do not make twenty thousand characters of harmless text be read a dozen times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from guardrail.checks.text.views import View
from guardrail.errors import CheckError

__all__ = ["LONG", "MOST_CHARACTERS", "excerpts"]

# Shorter texts are read as they are.
LONG = 1_500
# Characters kept on both sides of a change: about what the classifier reads at once.
AROUND = 160
# A reading is compared with so many of those before it, since each begins where another one ended.
_EARLIER = 6
# How many characters all readings have together: more would take over a fifth of a second.
MOST_CHARACTERS, MOST_TIMES = 40_000, 4


def excerpts(views: Sequence[View]) -> tuple[View, ...]:
    """`views`, the plain one first, with all others cut down to their changes where the text is long.

    Raises:
        CheckError: so much of a very long text is in disguise that reading it would take too long.
    """
    plain = views[0]
    if len(plain.text) <= LONG:
        return tuple(views)
    kept = (plain, *(_changes(views[i], views[max(0, i - _EARLIER) : i]) for i in range(1, len(views))))
    if sum(len(view.text) for view in kept) > max(MOST_CHARACTERS, MOST_TIMES * len(plain.text)):
        raise CheckError("too much of a very long text is in disguise: it was not read")
    return kept


def _changes(view: View, earlier: Sequence[View]) -> View:
    """What of `view` none of those before it is as near to as one of them."""
    changed = min((np.flatnonzero(_differs(view, other)) for other in earlier), key=len)
    if not changed.size:
        return View("", (), (), view.undone, view.backwards)
    # Neighbouring changes whose surroundings meet make one excerpt.
    cuts = np.flatnonzero(np.diff(changed) > 2 * AROUND)
    firsts = np.maximum(changed[np.r_[0, cuts + 1]] - AROUND, 0)
    lasts = np.minimum(changed[np.r_[cuts, changed.size - 1]] + AROUND + 1, len(view.text))
    text: list[str] = []
    origin: list[int] = []
    end: list[int] = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        if text:
            text.append("\n")
            origin.append(origin[-1])
            end.append(end[-1])
        text.append(view.text[first:last])
        origin.extend(view.origin[first:last])
        end.extend(view.end[first:last])
    return View("".join(text), origin, end, view.undone, view.backwards)


def _differs(view: View, plain: View) -> npt.NDArray[np.bool_]:
    """For each character of `view` whether it, or what stands before it, is another one than in `plain`.

    Both run the same way; of a reading that runs backwards all is another.
    """
    if view.backwards != plain.backwards:
        return np.ones(len(view.text), bool)
    there, here = np.asarray(plain.origin, np.int64), np.asarray(view.origin, np.int64)
    places = np.searchsorted(there, here)
    known = places < len(there)
    places = np.minimum(places, len(there) - 1)
    letters, others = _codes(plain.text), _codes(view.text)
    same = known & (there[places] == here) & (letters[places] == others)
    # What was left out before the first character, or after the last one, counts as well.
    follows = np.diff(places, prepend=-1) == 1
    follows[-1:] &= places[-1:] == len(there) - 1
    changed: npt.NDArray[np.bool_] = ~(same & follows)
    return changed


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
