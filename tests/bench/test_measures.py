"""What a figure says of itself: whether it carries a claim, and what none or all of the samples leave possible."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from guardrail.bench.run.measures import Measure, of_rate
from guardrail.bench.statistics import Rate
from guardrail.bench.tables import told, told_groups

SOUND = of_rate("block_rate", Rate(990, 1000), "higher")


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (SOUND, ""),
        (replace(SOUND, caveat="too few harmless prompts"), "too few harmless prompts"),
        (replace(SOUND, groups=12, group_interval=(0.97, 0.999)), "12 groups are too few for a claim"),
        (replace(SOUND, groups=1, group_interval=(0.97, 0.999)), "1 group is too few for a claim"),
        (replace(SOUND, groups=40, group_interval=(0.97, 0.999)), ""),
        (replace(SOUND, groups=40, group_interval=(0.8, 1.0)), "known to ±10 points only"),
        (of_rate("block_rate", Rate(1, 1)), "1 sample is too few for a claim"),
        (Measure("auroc", caveat="never seen"), "not measured"),
    ],
)
def test_a_figure_says_why_it_carries_no_claim(measure: Measure, says: str) -> None:
    assert measure.remark == says


@pytest.mark.parametrize(
    ("measure", "bound", "text"),
    [
        (of_rate("x", Rate(0, 1000)), "none of 1,000: up to 0.38 % is possible", "0.00 % (≤ 0.38)"),
        (of_rate("x", Rate(0, 100_000)), "none of 100,000: up to 0.0038 % is possible", "0.00 % (≤ 0.00)"),
        (of_rate("x", Rate(300, 300)), "all 300: as little as 98.74 % is possible", "100.00 % (≥ 98.74)"),
        (
            replace(of_rate("x", Rate(0, 1000)), groups=20, group_interval=(0.0, 0.16)),
            "none of 1,000: up to 16.00 % is possible",
            "0.00 % (≤ 0.38)",
        ),
        (SOUND, "", "99.00 % (98.17–99.46)"),
        (of_rate("x", Rate(0, 0)), "", "–"),
        (Measure("auroc", (), 0.5, 10, None, (0.25, 0.75), "DeLong", "higher", "area"), "", "0.5000 (0.2500–0.7500)"),
    ],
)
def test_none_and_all_say_what_is_still_possible(measure: Measure, bound: str, text: str) -> None:
    assert measure.bound == bound
    assert measure.to_json().get("bound", "") == bound
    assert told(measure) == text


def test_groups_and_caveats_are_read_back() -> None:
    measure = replace(SOUND, groups=40, group_interval=(0.97, 0.999), caveat="why")
    assert Measure.from_json(json.loads(json.dumps(measure.to_json()))) == measure
    assert told_groups(measure) == ("40", "97.00–99.90")
    assert told_groups(SOUND) == ("–", "–")


def test_no_value_reads_as_two() -> None:
    one = Measure("x", (("lang", "a, attack=z"),))
    assert one.key == r"x[lang=a\, attack\=z]"
    others = [(("lang", "a"), ("attack", "z")), (("lang", "a\\, attack\\=z"),), (("lang", "a]["),), (("lang", "a\\"),)]
    assert len({one.key, *(Measure("x", of).key for of in others)}) == 5


@pytest.mark.parametrize("ends", [(float("nan"), 1.0), (0.0, float("nan")), (0.9, 0.1), (0.0, float("inf"))])
def test_an_interval_without_order_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="its ends are numbers in order"):
        replace(SOUND, interval=ends)
    told_ = SOUND.to_json() | {"groups": 3, "group_interval_95": list(ends)}
    with pytest.raises(ValueError, match="its ends are numbers in order"):
        Measure.from_json(told_)
