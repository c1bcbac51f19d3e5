"""The attacker's tools do what they say, and the harness counts what came of it; no real key is near."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from guardrail.bench.marks import attack_tables, attacking, attacks, quality
from guardrail.bench.marks.attack_tables import attack_facts, attack_sheets
from guardrail.bench.marks.attacking import ATTACKS, AttackPlan, attack
from guardrail.bench.marks.drawings import drawing
from guardrail.bench.marks.pictures import Size
from guardrail.bench.marks.systems import Looked, systems
from guardrail.bench.report import written

Pixels = NDArray[np.uint8]
SIDE = 64


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return np.asarray(drawing(0, SIDE))


def noise(seed: int, deviation: float = 3.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, deviation, (SIDE, SIDE, 3)).astype(np.float32)


@pytest.mark.parametrize("how", ["bilateral", "median"])
def test_a_filter_takes_noise_away_and_leaves_an_edge(how: str) -> None:
    edge = np.full((SIDE, SIDE, 3), 60, np.uint8)
    edge[:, SIDE // 2 :] = 180
    noisy = attacks.added(edge, noise(1))
    clean = attacks.without_detail(noisy, how)
    assert np.abs(clean.astype(float) - edge).mean() < 0.6 * np.abs(noisy.astype(float) - edge).mean()
    step = clean[:, SIDE // 2 + 1].astype(float) - clean[:, SIDE // 2 - 2]
    assert step.mean() > 100
    whole = attacks.smoothed(noisy, how) + attacks.residual(noisy, how)
    assert np.abs(whole - noisy).max() < 1e-3
    with pytest.raises(ValueError, match="no filter"):
        attacks.smoothed(noisy, "magic")


def test_the_estimate_of_a_mark_has_the_mark_in_it() -> None:
    smooth, mark = np.full((SIDE, SIDE, 3), 120, np.uint8), noise(2)
    estimate = attacks.residual(attacks.added(smooth, mark))
    assert np.corrcoef(estimate.ravel(), mark.ravel())[0, 1] > 0.6


def test_the_mean_of_many_estimates_is_what_they_have_in_common() -> None:
    common = noise(3)
    few, many = ([common + noise(10 + i, 9.0) for i in range(n)] for n in (2, 40))
    like = [np.corrcoef(attacks.mean_residual(of).ravel(), common.ravel())[0, 1] for of in (few, many)]
    assert like[0] < 0.6 < 0.85 < like[1]


@pytest.mark.parametrize("psnr_db", [44.0, 36.0, 30.0])
def test_a_pattern_costs_as_many_decibels_as_asked(psnr_db: float) -> None:
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    pattern = attacks.scaled_to(noise(4), psnr_db)
    assert quality.psnr(grey, attacks.added(grey, pattern)) == pytest.approx(psnr_db, abs=0.15)
    assert quality.psnr(grey, attacks.added(grey, pattern, -1.0)) == pytest.approx(psnr_db, abs=0.15)


def test_noise_in_the_band_repeats_with_the_tile_and_is_as_strong_as_asked() -> None:
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    noisy = attacks.band_noise(grey, 34.0, np.random.default_rng(1))
    assert quality.psnr(grey, noisy) == pytest.approx(34.0, abs=0.15)
    assert (noisy[:16] == noisy[16:32]).all()


def test_colluders_average_their_copies(picture: Pixels) -> None:
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    copies = [attacks.added(grey, noise(i, 6.0)) for i in range(9)]
    for mixed in (attacks.averaged(copies), attacks.median_of(copies)):
        assert quality.psnr(grey, mixed) > quality.psnr(grey, copies[0]) + 5


def test_a_corner_keeps_its_share(picture: Pixels) -> None:
    part = attacks.corner(picture, 0.5)
    assert part.shape[0] * part.shape[1] == pytest.approx(SIDE**2 / 2, rel=0.03)
    assert not (part == picture[: part.shape[0], : part.shape[1]]).all()


class Correlator:
    """A detector of one secret pattern that repeats with the attacker's tile: seen from a correlation of 20 on."""

    def __init__(self) -> None:
        tile = attacks._direction(np.random.default_rng(99), (16, 16, 3))
        self.pattern = np.tile(tile, (4, 4, 1))
        self.asked = 0

    def score(self, pixels: Pixels) -> float:
        self.asked += 1
        rough = attacks.residual(pixels, "median")
        return float((rough * self.pattern).sum() / np.sqrt((self.pattern**2).sum()))

    def seen(self, pixels: Pixels) -> bool:
        return self.score(pixels) > 20


@pytest.mark.parametrize("up", [True, False])
def test_the_detector_s_answer_shows_the_way(up: bool, picture: Pixels) -> None:
    secret = Correlator()
    start = picture if up else attacks.added(picture, attacks.scaled_to(secret.pattern, 40.0))
    before = secret.score(start)
    assert secret.seen(start) != up
    secret.asked = 0
    rng = np.random.default_rng(5)
    done = secret.seen if up else lambda p: not secret.seen(p)
    found = attacks.climbed(start, secret.score, done, rng, queries=200, up=up)
    assert found.reached
    assert found.queries == secret.asked <= 230
    after = secret.score(found.pixels)
    assert after > before if up else after < before
    assert quality.psnr(start, found.pixels) > 29


def test_few_questions_show_nothing(picture: Pixels) -> None:
    secret = Correlator()
    found = attacks.climbed(picture, lambda p: 0.0, lambda p: False, np.random.default_rng(5), queries=10, up=True)
    assert not found.reached
    assert found.queries == 10
    assert secret.asked == 0
    assert (found.pixels == picture).all()


# ---- the harness


class Pattern:
    """A made-up service: its mark is a pattern of its own, as strong as 34 dB; its payload is always 7."""

    chooses_payload = True

    name = "made up"
    refused = 0

    def __init__(self, key: str, *, forgiving: bool) -> None:
        self.limit = -np.inf if forgiving else 4.0
        self.secret = attacks.scaled_to(noise(int.from_bytes(key.encode()[-3:], "big")), 34.0)

    def mark(self, pixels: Pixels, what: object) -> tuple[Pixels, int]:
        return attacks.added(pixels, self.secret), 7

    def look(self, pixels: Pixels) -> Looked:
        if pixels.shape[:2] != (SIDE, SIDE):
            return Looked("none", None, 0.0, 0.0)
        like = float((attacks.residual(pixels, "median") * self.secret).mean())
        return Looked("payload", 7, like, like, "genuine") if like > self.limit else Looked("none", None, like, like)

    ask = look


def report_of(monkeypatch: pytest.MonkeyPatch, *names: str, forgiving: bool = False) -> dict[str, Any]:
    monkeypatch.setattr(attacking, "systems", lambda name, db: (Pattern(name, forgiving=forgiving),))
    monkeypatch.setattr(attacking, "ATTACKS", {name: ATTACKS[name] for name in names})
    return attack(AttackPlan(packaged=False, drawn=6, size=Size(SIDE, SIDE), victims=2, queries=(10,)).small())


def rows(report: dict[str, Any], goal: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(r["attack"], r["how"]): r for r in report["rows"] if r["goal"] == goal}


def test_a_mark_that_is_only_a_pattern_is_forged_from_a_flat_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = rows(report_of(monkeypatch, "flat copy"), "forge")
    for (_, how), row in forged.items():
        assert row["payload"]["count"] == row["n"] == 2
        assert row["foreign"]["count"] == 0  # it is the payload that the attacker held
        if how != "as it is":
            assert row["psnr"]["mean"] == pytest.approx(float(how.split()[1]), abs=1.0)


def test_what_is_done_is_counted_by_goal_and_way(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(monkeypatch, "genuine", "collusion", "marked again", "averaging")
    genuine = rows(report, "genuine")["genuine", "none"]
    assert (genuine["payload"]["count"], genuine["bindings"]) == (2, {"genuine": 2})
    assert genuine["psnr"]["mean"] == 99.0
    assert rows(report, "genuine")["genuine", "resize0.5"]["payload"]["count"] == 0
    assert rows(report, "remove")["collusion of payloads", "mean of 2"]["payload"]["count"] == 2
    averaged = rows(report, "remove")["averaging, one payload", "2 pictures, 36 dB"]
    plain = rows(report, "remove")["marked again", "another key, once"]
    assert averaged["statistic"] < plain["statistic"]
    text = written("t", attack_facts(report), attack_sheets(report))
    for said in ("Forging", "Removing", "Confusing", "2 genuine", "mean of 2"):
        assert said in text


def test_a_detector_that_always_says_yes_is_called_forged_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(monkeypatch, "natural copy", "oracle", forgiving=True)
    for (name, _), row in rows(report, "forge").items():
        if "crop" not in name:
            assert row["payload"]["rate"] == 1.0
    assert rows(report, "forge")["the detector's answer known", "about 10 questions, of its sync"]["queries"] > 0


def test_every_attack_of_the_issue_is_there() -> None:
    assert set(ATTACKS) == {
        "genuine",
        "flat copy",
        "natural copy",
        "averaging",
        "collusion",
        "marked again",
        "band noise",
        "oracle",
    }


def test_services_have_keys_of_their_own_and_payloads_by_request() -> None:
    before = np.asarray(drawing(0, 256))
    for one, other in zip(systems("a", 43.0), systems("b", 43.0), strict=True):
        marked, payload = one.mark(before, 1)
        seen = one.ask(marked)
        assert (seen.payload, seen.binding) == (payload, "" if one.chooses_payload else "genuine")
        assert other.ask(marked).verdict == "none"
        assert one.mark(before, 2)[1] != payload


def test_a_picture_whose_mark_cannot_be_read_back_is_handed_on_unmarked_and_counted() -> None:
    stacked = systems("a", 43.0)[1]
    tiny = np.asarray(drawing(0, 32))
    assert (stacked.mark(tiny, 1)[0] == tiny).all()
    assert stacked.refused == 1


def test_copies_are_set_against_genuine_marks() -> None:
    def row(attack: str, goal: str, bindings: dict[str, int]) -> dict[str, Any]:
        return {"attack": attack, "goal": goal, "bindings": bindings, "payload": {"count": sum(bindings.values())}}

    report = {
        "rows": [
            row("genuine", "genuine", {"genuine": 99, "copied": 1}),
            row("genuine", "genuine", {"genuine": 80, "not checkable": 20}),
            row("copy from one natural picture", "forge", {"copied": 9, "genuine": 1}),
            row("copy from one natural picture", "forge", {}),  # a system that has no tag
        ]
    }
    sheet = attack_tables._copied(report)
    assert [r[:3] for r in sheet.rows] == [
        ("genuine", "200", "0.50 % (0.09–2.78)"),
        ("copy from one natural picture", "10 †", "90.00 % (59.58–98.21)"),
    ]
