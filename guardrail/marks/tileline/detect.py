"""Reading the mark: the fast path at the frame's own scale, then the search, then a verdict with its rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardrail.marks.tileline import calibration, code, frontend, geometry
from guardrail.marks.tileline.layout import CHANNELS, VARIANTS, Layout
from guardrail.marks.tileline.sync import GRID, ROUGH_GRID, Peak, aligned, both_signs, locate

__all__ = ["Detection", "Geometry", "Observation", "read", "soft_chips"]

# Sync hypotheses decoded at the frame's own scale, and maps refined and decoded in each stage of the search: for one
# layout. One more for each doubling of layouts: the wrong ones bring rivals, but their scores fall off fast.
_FAST_PEAKS = 2
_REFINED = 4
_STAGES = 3  # combs, upright crops, changes of aspect
# Points that a climb counts for in the sync rate: the cells of its four parameters and the shift that it can reach
# (three each way and two for the shift's axes), rounded up.
_CLIMB = 1000
# Anisotropic scaling tried after everything else: height × factor, width / factor, up to a change of aspect of 8 %.
_STRETCHES = (0.964, 0.976, 0.988, 1.012, 1.024, 1.036)
_STRETCHED_MAPS = 12  # most promising combs of all stretches together

# Frame pixels of the long side that are looked at: 32 tiles of it lose nothing against more.
_LONGEST = 2048
# The estimated channel is a correlation with unit-power lines: near 1 untouched, 0 where nothing came through.
_CHANNEL_RANGE = (0.04, 1.5)


class Geometry(NamedTuple):
    """What happened to the picture since it was marked, as far as the mark shows it.

    Attributes:
        scale: size of the mark against that in an uncropped picture; 1.41 after a crop to half the area.
        degrees: counter-clockwise rotation, in (-180, 180].
        flip: mirrored left to right before the rotation.
        shift: how far the tiles lie from the picture's upper left corner, in tiles, where they were put there: near 0
            in an uncut picture. None where the mark had to be searched for.
    """

    scale: float
    degrees: float
    flip: bool
    shift: tuple[float, float] | None = None


@dataclass(frozen=True)
class Detection:
    """Outcome of one detection.

    Attributes:
        verdict: `payload`: read, at a false-positive rate of at most 1e-9. `marked`: the key's sync pattern is there
            (rate at most 1e-6) but the payload is not readable. `none`: no evidence, which proves nothing.
        payload: 64 bits, or None.
        statistic: correlation of the decoded word with the picture over its root energy; unmarked pictures reach 8 to
            10.5, the threshold lies near 11.7, a fresh mark gives 20 to 35.
        false_positive_rate: upper bound of the chance that a picture without this key's mark gives this verdict with
            such evidence, over all candidates that the search may try; 1 where there is none. Who tries several keys
            multiplies it by their number.
        candidates: decodes tried.
        sync: highest sync score.
        geometry: of the best hypothesis; means nothing with `none`.
    """

    verdict: Literal["payload", "marked", "none"]
    payload: int | None
    statistic: float
    false_positive_rate: float
    candidates: int
    sync: float
    geometry: Geometry


class Observation:
    """The part of a detection that no key enters: shared by every key and layout tried on one picture."""

    def __init__(self, picture: frontend.Picture, tiles: tuple[int, ...]) -> None:
        self.tiles = tiles
        self._picture = picture
        self._planes: dict[int, frontend.Planes] = {}
        self._lines: dict[int, frontend.Lines] = {}
        self._spectra: geometry.Spectra | None = None
        self._combs: dict[float, list[geometry.Comb]] = {}

    def planes(self, tiles: int) -> frontend.Planes:
        if tiles not in self._planes:
            self._planes[tiles] = frontend.whitened(frontend.frame_of(self._picture, tiles, _LONGEST))
        return self._planes[tiles]

    def lines(self, tiles: int) -> frontend.Lines:
        if tiles not in self._lines:
            self._lines[tiles] = frontend.whiten_lines(frontend.fold_lines(self.planes(tiles)))
        return self._lines[tiles]

    def spectra(self) -> geometry.Spectra:
        if self._spectra is None:
            self._spectra = geometry.Spectra(self.planes(self.tiles[-1]))
        return self._spectra

    def combs(self, stretch: float) -> list[geometry.Comb]:
        if stretch not in self._combs:
            self._combs[stretch] = geometry.combs(self.spectra(), stretch)
        return self._combs[stretch]


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """One layout, seen through one map of the lattice, at its best shift."""

    peak: Peak
    matrix: geometry.Matrix
    layout: Layout


class _Reading:
    """Counts and best evidence of one detection with the layouts of one key."""

    def __init__(self, planned: int) -> None:
        # The rate charges every decode with all that may follow: the tests of one detection add up to the rate stated.
        self._planned = planned
        self._decodes = 0
        self._points = 0
        self._statistic = 0.0
        self._sync = 0.0
        self._geometry = Geometry(1.0, 0.0, False)

    def count(self, points: int) -> None:
        self._points += points

    def locate(
        self,
        signed: NDArray[np.complex64],
        matrix: geometry.Matrix,
        layout: Layout,
        count: int = 1,
        grid: int = GRID,
    ) -> list[_Hypothesis]:
        self._points += len(VARIANTS) * GRID * GRID
        peaks = locate(signed, layout, count=count, grid=grid)
        self._note(peaks[0], matrix)
        return [_Hypothesis(peak, matrix, layout) for peak in peaks]

    def refine(self, spectra: geometry.Spectra, rough: _Hypothesis) -> _Hypothesis:
        self._points += _CLIMB
        better, peak = geometry.refine(spectra, rough.layout, rough.matrix, rough.peak)
        self._note(peak, better)
        return _Hypothesis(peak, better, rough.layout)

    def _note(self, peak: Peak, matrix: geometry.Matrix) -> None:
        if peak.score > self._sync:
            self._sync = peak.score
            self._geometry = _geometry(matrix, peak)

    def decode(self, lines: frontend.Lines, seen: _Hypothesis) -> Detection | None:
        soft = soft_chips(seen.layout, aligned(lines, seen.peak))
        energy = float(np.linalg.norm(soft))
        self._decodes += 1
        if energy == 0.0:
            return None
        for word, correlation in code.decode(soft):
            statistic = correlation / energy
            self._statistic = max(self._statistic, statistic)
            rate = calibration.payload_rate(statistic, self._planned)
            if rate > calibration.PAYLOAD_RATE:
                return None
            payload, valid = code.split(word)
            if valid:
                where = _geometry(seen.matrix, seen.peak)
                return Detection("payload", payload, statistic, rate, self._decodes, seen.peak.score, where)
        return None

    def failed(self) -> Detection:
        rate = calibration.sync_rate(self._sync, self._points)
        verdict: Literal["marked", "none"] = "marked" if rate <= calibration.MARKED_RATE else "none"
        return Detection(verdict, None, self._statistic, rate, self._decodes, self._sync, self._geometry)


def read(seen: Observation, layouts: Sequence[Layout], *, search: bool) -> Detection:
    """Looks for the mark of one key, whichever of its layouts was used."""
    fast = _FAST_PEAKS + (len(layouts) - 1).bit_length()
    reading = _Reading(fast * len(seen.tiles) + (_STAGES * _refined(layouts) if search else 0))
    for tiles in seen.tiles:
        lines = seen.lines(tiles)
        signed = both_signs(lines)
        found = [peak for layout in layouts for peak in reading.locate(signed, np.eye(2), layout, _FAST_PEAKS)]
        for hypothesis in sorted(found, key=_by_score)[:fast]:
            if read_ := reading.decode(lines, hypothesis):
                return read_
    if search:
        for maps in _maps(seen, layouts, reading):
            if read_ := _try_maps(seen.spectra(), reading, maps):
                return read_
    return reading.failed()


def _by_score(hypothesis: _Hypothesis) -> float:
    return -hypothesis.peak.score


def _refined(layouts: Sequence[Layout]) -> int:
    return _REFINED + (len(layouts) - 1).bit_length()


_Maps = list[tuple[geometry.Matrix, Sequence[Layout]]]


def _maps(seen: Observation, layouts: Sequence[Layout], reading: _Reading) -> Iterator[_Maps]:
    yield [(np.eye(2), layouts), *((comb.matrix(), layouts) for comb in seen.combs(1.0))]
    upright: _Maps = []
    for layout in layouts:
        reading.count(geometry.UPRIGHT_POINTS)
        upright += [(matrix, (layout,)) for matrix in geometry.upright(seen.spectra(), layout)]
    yield upright
    stretched = sorted((comb for s in _STRETCHES for comb in seen.combs(s)), key=lambda comb: -comb.score)
    yield [(comb.matrix(), layouts) for comb in stretched[:_STRETCHED_MAPS]]


def _try_maps(spectra: geometry.Spectra, reading: _Reading, maps: _Maps) -> Detection | None:
    rough: list[_Hypothesis] = []
    refined = 0
    for matrix, layouts in maps:
        refined = max(refined, _refined(layouts))
        signed = both_signs(frontend.whiten_lines(spectra.lines(matrix)))
        rough += [reading.locate(signed, matrix, layout, grid=ROUGH_GRID)[0] for layout in layouts]
    for hypothesis in sorted(rough, key=_by_score)[:refined]:
        better = reading.refine(spectra, hypothesis)
        if found := reading.decode(frontend.whiten_lines(spectra.lines(better.matrix)), better):
            return found
    return None


def soft_chips(layout: Layout, lines: frontend.Lines) -> NDArray[np.float32]:
    """Soft chips, each weighted with what the sync lines of its band say came through."""
    weighted = []
    for c in range(len(CHANNELS)):
        through = (lines[c][layout.sync[c]] * np.conj(layout.phase[c])).real
        weighted.append(lines[c] * np.clip(layout.spread[c] @ through, *_CHANNEL_RANGE))
    return layout.chips(tuple(weighted))


def _geometry(matrix: geometry.Matrix, peak: Peak) -> Geometry:
    whole = matrix @ VARIANTS[peak.variant]
    flip = bool(np.linalg.det(whole) < 0)
    if flip:
        whole = whole @ np.diag([1, -1])
    degrees = float(np.degrees(np.arctan2(whole[1, 0] - whole[0, 1], whole[0, 0] + whole[1, 1])))
    shift = peak.shift if np.array_equal(matrix, np.eye(2)) else None
    return Geometry(float(1 / np.sqrt(np.linalg.det(whole))), degrees, flip, shift)
