"""Plots: the same bytes each time, texts that stay texts, and marks that stand where their values are."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from guardrail.bench.axes import axis
from guardrail.bench.drawing import drawn, standalone
from guardrail.bench.lettering import lines_of, width
from guardrail.bench.run.figures import Figure, Line, Points
from tests.bench.made_run import HOSTILE

LINES = Figure(
    "lines", "A title", "false alarms (%)", "recall (%)",
    lines=(Line(f"one {HOSTILE}", (1.0, 10.0, 50.0), (2.0, 40.0, 90.0), (1.0, 30.0, 80.0), (3.0, 50.0, 95.0)),
           Line("二番目", (1.0, 50.0), (5.0, 60.0))),
    x_limits=(0.5, 80), y_limits=(0.5, 99), caption="n = 9",
)  # fmt: skip
NOT = float("nan")
POINTS = Figure(
    "points", "Another", "stopped (%)", "part",
    points=(Points("now", ("a", "فئة", "c\x00"), (25.0, 75.0, NOT), (10.0, 70.0, NOT), (40.0, 80.0, NOT)),),
    x_limits=(0, 100),
)  # fmt: skip


def inside(plot: str) -> ElementTree.Element:
    return ElementTree.fromstring(plot)


def texts(plot: str) -> list[str]:
    return [node.text or "" for node in inside(plot).iter() if node.tag.endswith("}text")]


@pytest.mark.parametrize("scale", ["linear", "log", "probit"])
def test_a_plot_is_the_same_each_time_and_holds_no_style_script_or_address(scale: str) -> None:
    figure = replace(LINES, scale=scale)  # type: ignore[arg-type]
    plot = drawn([figure]).plots["lines"]
    if scale == "linear":
        assert plot == drawn([figure]).plots["lines"]
    assert not re.search(r"style=|<script|<style|href|<use|<metadata|\bT\d+T\b", plot)
    assert not [value for node in inside(plot).iter() for value in node.attrib.values() if "http" in value]
    assert {"false alarms (%)", "recall (%)", "二番目"} <= set(texts(plot))
    assert [node.text for node in inside(plot)][:2] == ["A title", "n = 9"]
    assert "<style>" in standalone(plot)
    inside(standalone(plot).partition("\n")[2])


def test_ids_of_two_plots_of_a_page_differ() -> None:
    plots = drawn([LINES, replace(LINES, name="other")]).plots
    ids = [re.findall(r' id="([^"]+)"', plot) for plot in plots.values()]
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])
    assert all(
        set(re.findall(r"url\(#([^)]+)\)", plot)) == set(of) for plot, of in zip(plots.values(), ids, strict=True)
    )


def test_points_stand_where_their_values_are() -> None:
    plot = drawn([POINTS]).plots["points"]
    dots = [float(x) for x in re.findall(r'transform="translate\(([\d.]+) [\d.]+\)"', plot)]
    ticks = {n.text: float(n.get("x", "")) for n in inside(plot).iter() if n.tag.endswith("}text") and n.get("x")}
    left, right = ticks["0"], ticks["100"]
    assert dots == pytest.approx([left + 0.25 * (right - left), left + 0.75 * (right - left)], abs=0.05)
    whiskers = [tuple(map(float, m)) for m in re.findall(r"M ([\d.]+) [\d.]+ L ([\d.]+) [\d.]+", plot)]
    wanted = [left + share * (right - left) for share in (0.1, 0.4)]
    assert any(ends == pytest.approx(wanted, abs=0.05) for ends in whiskers)
    assert "not measured" in texts(plot)
    assert "c\ufffd" in texts(plot)


def test_a_curve_on_the_border_is_whole_and_one_beyond_the_limits_is_cut_there() -> None:
    along = Line("along", (0.0, 0.0, 100.0), (0.0, 100.0, 100.0))
    border = replace(LINES, lines=(along,), x_limits=(0, 100), y_limits=(0, 100))
    plot = drawn([border]).plots["lines"]
    curve = next(n for n in inside(plot).iter() if n.get("class") == "s-c1" and n.get("d"))
    assert "clip-path" not in curve.attrib
    order = [(n.get("class"), n.get("d")) for n in inside(plot).iter() if n.get("d")]
    frame = max(i for i, (of, _) in enumerate(order) if of == "s-faint")
    assert order.index(("s-c1", curve.get("d"))) > frame
    left, bottom = (float(v) for v in re.findall(r"[\d.]+", curve.get("d") or "")[:2])
    axes = [list(map(float, re.findall(r"[\d.]+", d or ""))) for of, d in order if of == "s-faint"]
    assert left > min(a[0] for a in axes) + 2  # beside the axis, not under it
    assert bottom < max(a[1] for a in axes) - 2
    beyond = drawn([replace(border, x_limits=(0, 50))]).plots["lines"]
    assert "clip-path" in next(n for n in inside(beyond).iter() if n.get("class") == "s-c1" and n.get("d")).attrib


@pytest.mark.parametrize(
    ("scale", "values", "limits", "name", "ticks"),
    [
        ("linear", [0.0, 100.0], (0, 100), "x (%)", ["0", "20", "40", "60", "80", "100"]),
        ("linear", [], None, "x", ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ("linear", [-2.0, 2.0], (-2, 2), "x", ["−2", "−1", "0", "1", "2"]),
        ("log", [1.0, 1000.0], None, "queries", ["1", "10", "100", "1,000"]),
        ("log", [0.0, 2.0, 20.0], None, "x", ["2", "5", "10", "20"]),
        ("log", [], None, "x", ["0.1", "0.2", "0.5", "1"]),
        ("probit", [0.0, 1.0, 40.0], None, "misses (%)", ["1", "2", "5", "10", "20", "40"]),
        ("probit", [0.01, 0.4], None, "misses (share)", ["0.01", "0.02", "0.05", "0.1", "0.2", "0.4"]),
        ("probit", [], (1, 50), "misses (%)", ["1", "2", "5", "10", "20", "40"]),
    ],
)
def test_ticks_are_round_and_apart(
    scale: str, values: list[float], limits: object, name: str, ticks: list[str]
) -> None:
    made = axis(scale, values, limits, name)  # type: ignore[arg-type]
    assert [text for _, text in made.ticks] == ticks
    assert made.low < made.high
    assert all(made.low - 1e-9 <= at <= made.high + 1e-9 for at, _ in made.ticks)


def test_a_probit_axis_is_of_normal_deviates_and_has_no_place_for_none_or_all() -> None:
    made = axis("probit", [2.275, 50.0], None, "(%)")
    assert made.at(50) == pytest.approx(0)
    assert made.at(2.275) == pytest.approx(-2, abs=1e-4)
    assert made.at(0) == -float("inf")


def test_long_labels_are_broken_and_wide_letters_are_wide() -> None:
    assert width("한글") > 1.5 * width("ab")
    assert lines_of("short", 190, 2) == ["short"]
    broken = lines_of("a label that somebody wrote out as a whole sentence, with commas and everything", 190, 2)
    assert len(broken) == 2
    assert broken[1].endswith("…")
    assert all(width(line) <= 200 for line in broken)


def test_without_matplotlib_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_svg", None)
    assert drawn([LINES]).plots == {}
    assert 'pip install "guardrail-diffusion[bench]"' in drawn([LINES]).left_out
    assert drawn([]).left_out == ""


def test_two_figures_of_one_name_and_names_that_are_no_file_are_refused() -> None:
    for figures in ([POINTS, POINTS], [replace(POINTS, name="../a")]):
        with pytest.raises(ValueError, match="a figure's name"):
            drawn(figures)
