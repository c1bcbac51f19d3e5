"""Figures as SVG, by matplotlib.

While a figure is drawn matplotlib's settings are its own defaults; afterwards they are what they were. No pyplot. The
same figure gives the same bytes. Text is laid out by its
own width, for the fonts are the reader's; the colours are Okabe and Ito's, which are told apart with any common colour
blindness, and every curve and row of points has a dash or a marker of its own besides, for print.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from html import escape
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, NamedTuple

from guardrail.bench.axes import Axis, axis
from guardrail.bench.colours import PALETTE, STYLE, look
from guardrail.bench.lettering import SIZE, lines_of, width
from guardrail.bench.run.figures import Figure, Line, Points
from guardrail.bench.svg import cleaned, without_controls
from guardrail.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Drawn", "drawn", "standalone"]

# Pixels of a drawing that is 480 wide: at 360, on a telephone, its smallest text is still 9 high.
_WIDTH, _PLOT, _ROW = 480, 300, 18
_LEFT, _RIGHT, _TOP, _AXIS = 58, 16, 12, 46
_MOST_LABEL = 190
_APART = 9  # of the points of one row
_MARGIN = 0.01  # of an axis, at both of its ends
_ABOVE_AXES = 3  # what lies higher is drawn later; the axes are at 2.5
_FEW_POINTS = 12  # each is worth a marker
_NOT_OURS = ("backend", "interactive", "toolbar", "webagg", "tk.", "macosx", "keymap")  # of windows; there is none


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")  # of a file, and of ids


class Drawn(NamedTuple):
    """`plots`: name of the figure → ``<svg>``, for a page with `STYLE`. `left_out`: why there are none, if so."""

    plots: dict[str, str]
    left_out: str = ""


def drawn(figures: Sequence[Figure]) -> Drawn:
    """Every figure; none where matplotlib is not installed."""
    if not figures:
        return Drawn({})
    try:
        import matplotlib.backends.backend_svg
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return Drawn({}, f"{MissingExtra('Drawing plots', 'bench')}; then measure again, or go on from results.jsonl")
    plots: dict[str, str] = {}
    for figure in figures:
        if figure.name in plots or not _NAME.fullmatch(figure.name):
            raise ValueError(f"{figure.name!r}: a figure's name is its own, of letters, digits and hyphens")
        plots[figure.name] = _Drawing(figure).svg()
    return Drawn(plots)


def standalone(plot: str) -> str:
    """A drawing as a file of its own, with its colours."""
    head, _, rest = plot.partition(">")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}><style>{STYLE}</style>{rest}\n'


class _Drawing:
    """One figure on its way to SVG. Places are in pixels from the top left."""

    def __init__(self, figure: Figure) -> None:
        self._of = figure
        self._texts: list[str] = []
        self._names = [s.name for s in (figure.lines or figure.points)]
        self._legend = list(self._placed()) if len(self._names) > 1 or figure.lines else []
        self._rows = list(dict.fromkeys(label for p in figure.points for label in p.labels))
        self._broken = [lines_of(label, _MOST_LABEL, 2) for label in self._rows]
        self._left = _LEFT
        plot = float(_PLOT)
        if figure.points:
            widest = max((width(line) for lines in self._broken for line in lines), default=0.0)
            self._left = int(min(_MOST_LABEL, max(widest, 40.0))) + 16
            thick = max(_ROW, _APART * len(figure.points) + 4)
            self._tall = [max(thick, 14 * len(lines) + 4) for lines in self._broken]
            plot = float(sum(self._tall) or _ROW)
        self._top = _TOP + (20 if figure.points else 0)
        self._height = self._top + plot + _AXIS + (18 * (self._legend[-1][2] + 1) if self._legend else 0)
        self._plot = plot

    def svg(self) -> str:
        from matplotlib import rc_context, rcParamsDefault
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure as Canvas

        # matplotlib's own defaults, whatever the reader's matplotlibrc says.
        defaults: dict[Any, Any] = {k: v for k, v in rcParamsDefault.items() if not k.startswith(_NOT_OURS)}
        ours = {"svg.fonttype": "none", "svg.hashsalt": "guardrail", "path.simplify": False, "font.size": SIZE}
        with rc_context(defaults | ours):
            canvas = Canvas(figsize=(_WIDTH / 72, self._height / 72), dpi=72, facecolor=PALETTE["paper"][0])
            FigureCanvasSVG(canvas)
            self._fill(canvas)
            raw = io.StringIO()
            canvas.savefig(raw, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        colours = {light: name for name, (light, _) in PALETTE.items()}
        inside = cleaned(raw.getvalue(), self._of.name, self._texts, colours)
        title, caption = (escape(without_controls(t)) for t in (self._of.title, self._of.caption))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {_WIDTH} {self._height:g}" '
            f'width="{_WIDTH}" height="{self._height:g}" role="img" font-family="system-ui,sans-serif" '
            f'stroke-linejoin="round"><title>{title}</title><desc>{caption}</desc>{inside}</svg>'
        )

    def _fill(self, canvas: Canvas) -> None:
        of = self._of
        series = of.lines or of.points
        values = [v for s in series for v in (*(s.x if isinstance(s, Line) else s.values), *_ends(s))]
        x = axis(of.scale, values, of.x_limits, of.x)
        right = max([_RIGHT, *(width(name) / 2 + 6 for _, name in x.ticks[-1:])])
        across = _WIDTH - self._left - right
        box = (self._left / _WIDTH, 1 - (self._top + self._plot) / self._height)
        size = (across / _WIDTH, self._plot / self._height)
        axes = canvas.add_axes((*box, *size), facecolor="none")
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(PALETTE["faint"][0])
        axes.grid(True, color=PALETTE["line"][0], linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, pad=6, labelcolor=PALETTE["ink"][0], labelsize=SIZE)
        self._axis(axes, "x", x)
        middle = self._left + across / 2
        if of.lines:
            y_values = [v for s in of.lines for v in (*s.y, *s.low, *s.high)]
            y = axis("probit" if of.scale == "probit" else "linear", y_values, of.y_limits, of.y)
            self._axis(axes, "y", y)
            self._draw_lines(axes, x, y)
            self._write(canvas, 16, self._top + self._plot / 2, of.y, "center", turned=True)
        else:
            self._draw_points(axes, canvas, x)
            self._write(canvas, self._left - 8, 14, of.y, "right", colour="faint")
        under = self._top + self._plot + 36
        half = width(of.x) / 2
        self._write(canvas, min(middle, _WIDTH - 6 - half) if half < _WIDTH / 2 else _WIDTH / 2, under, of.x, "center")
        self._draw_legend(canvas)

    def _axis(self, axes: Axes, which: str, of: Axis) -> None:
        # A curve along the border is not to lie under the axis, nor its markers half outside.
        margin = _MARGIN * (of.high - of.low) if self._of.lines else 0.0
        (axes.set_xlim if which == "x" else axes.set_ylim)(of.low - margin, of.high + margin)
        places, names = [at for at, _ in of.ticks], [self._token(name) for _, name in of.ticks]
        (axes.set_xticks if which == "x" else axes.set_yticks)(places, names)

    def _draw_lines(self, axes: Axes, x: Axis, y: Axis) -> None:
        for i, line in enumerate(self._of.lines):
            across, up = ([v if isfinite(v) else nan for v in map(a.at, vs)] for a, vs in ((x, line.x), (y, line.y)))
            colour, dash, marker = look(i)
            if line.low and line.high:
                low, high = ([_within(y, v) for v in ends] for ends in (line.low, line.high))
                axes.fill_between(across, low, high, color=colour, alpha=0.15, linewidth=0)
            few = len(across) <= _FEW_POINTS
            shown: dict[str, Any] = {"color": colour, "linestyle": dash, "marker": marker if few else ""}
            # Values beyond the limits are cut off there; a whole marker on the border is not.
            beyond = any(not a.low <= v <= a.high for a, vs in ((x, across), (y, up)) for v in vs if isfinite(v))
            axes.plot(across, up, linewidth=1.8, markersize=5, clip_on=beyond, zorder=_ABOVE_AXES, **shown)

    def _draw_points(self, axes: Axes, canvas: Canvas, x: Axis) -> None:
        """The y axis is pixels from the top of the plot."""
        ends = [sum(self._tall[: i + 1]) for i in range(len(self._rows))]
        middles = dict(
            zip(self._rows, (end - tall / 2 for end, tall in zip(ends, self._tall, strict=True)), strict=True)
        )
        axes.set_ylim(self._plot, 0)
        axes.set_yticks(list(middles.values()), [""] * len(middles))
        if len(middles) > 25:
            axes.tick_params(top=True, labeltop=True)
        for middle, lines in zip(middles.values(), self._broken, strict=True):
            for j, text in enumerate(lines):
                at = self._top + middle + SIZE * 0.35 + 14 * (j - (len(lines) - 1) / 2)
                self._write(canvas, self._left - 8, at, text, "right", whole=True)
        several = len(self._of.points) > 1
        for i, points in enumerate(self._of.points):
            colour, _, marker = look(i)
            whiskers: list[tuple[float, float]] = []
            dots: list[tuple[float, float]] = []
            for j, (label, value) in enumerate(zip(points.labels, points.values, strict=True)):
                at = middles[label] + _APART * (i - (len(self._of.points) - 1) / 2)
                if not isfinite(value):
                    text = f"{points.name}: not measured" if several else "not measured"
                    self._write(canvas, self._left + 6, self._top + at + 3, text, "left", colour="faint", size=10)
                    continue
                if points.low and points.high and isfinite(points.low[j]) and isfinite(points.high[j]):
                    whiskers += [(_within(x, points.low[j]), at), (_within(x, points.high[j]), at), (nan, nan)]
                dots.append((_within(x, value), at))
            if whiskers:
                axes.plot(*zip(*whiskers, strict=True), color=colour, linewidth=1.6, solid_capstyle="butt")
            if dots:
                shown: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 6}
                axes.plot(*zip(*dots, strict=True), linestyle="none", clip_on=False, **shown)

    def _placed(self) -> Iterator[tuple[int, float, int]]:
        """(series, place from the left, row) of each entry of the legend."""
        left, row = float(_LEFT), 0
        for i, name in enumerate(self._names):
            wide = 36 + width(self._entry(name)) + 16
            if left > _LEFT and left + wide > _WIDTH:
                left, row = float(_LEFT), row + 1
            yield i, left, row
            left += wide

    @staticmethod
    def _entry(name: str) -> str:
        return lines_of(name, _WIDTH - _LEFT - 60, 1)[0]

    def _draw_legend(self, canvas: Canvas) -> None:
        from matplotlib.lines import Line2D

        top = self._top + self._plot + _AXIS + 4
        for i, left, row in self._legend:
            colour, dash, marker = look(i)
            y = 1 - (top + 18 * row) / self._height
            few = bool(self._of.points) or len(self._of.lines[i].x) <= _FEW_POINTS
            sample = Line2D(
                [left / _WIDTH, (left + 14) / _WIDTH, (left + 28) / _WIDTH],
                [y] * 3,
                color=colour,
                linestyle="none" if self._of.points else dash,
                linewidth=1.8,
                marker=marker if few else "",
                markersize=6,
                markevery=[1],
            )
            canvas.add_artist(sample)
            self._write(canvas, left + 36, top + 18 * row + 4, self._entry(self._names[i]), "left")

    def _token(self, text: str) -> str:
        """What stands for a text until the drawing is done: matplotlib neither measures nor reads it."""
        self._texts.append(text)
        return f"T{len(self._texts) - 1}T"

    def _write(
        self,
        canvas: Canvas,
        x: float,
        y: float,
        text: str,
        to: str,
        *,
        colour: str = "ink",
        turned: bool = False,
        whole: bool = False,
        size: int = SIZE,
    ) -> None:
        if not whole:
            text = lines_of(text, self._plot if turned else _WIDTH - 12, 1)[0]
        if not text:
            return
        canvas.text(
            x / _WIDTH,
            1 - y / self._height,
            self._token(text),
            ha=to,
            va="baseline",
            rotation=90 if turned else 0,
            rotation_mode="anchor",
            color=PALETTE[colour][0],
            size=size,
        )


def _within(of: Axis, value: float) -> float:
    """Its place, or the end of the axis that is nearest to it."""
    return min(max(of.at(value), of.low), of.high)


def _ends(series: Line | Points) -> tuple[float, ...]:
    """Of whiskers, which lie along x; the bands of curves lie along y."""
    return () if isinstance(series, Line) else (*series.low, *series.high)
