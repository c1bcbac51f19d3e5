"""``prompt.sexual`` as it is shipped: word lists, classifier, phrases of a deployment, and a picture that goes in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from guardrail.checks.base import CheckSettings
from guardrail.checks.text.classifier.model import PromptScores
from guardrail.checks.text.sexual import EXPLICIT, LEANING, SUGGESTIVE, SexualTextCheck, graded
from guardrail.errors import CheckError
from guardrail.media import ImageInput, Request, TextInput
from guardrail.signals import Stage

from .reading import answer, score


class Saying:
    """A classifier that always says the same."""

    def __init__(self, sexual: float = 0.0, undress: float = 0.0) -> None:
        self.answer = PromptScores(sexual, 0.0, undress, 0.0, 0.0, False)
        self.asked: list[tuple[tuple[str, ...], float]] = []

    def scores(self, readings: Sequence[str], listed: float) -> PromptScores:
        self.asked.append((tuple(readings), listed))
        return self.answer


class Meaning:
    """A classifier that finds a sentence where all of some words are in it."""

    def __init__(self, *words: str, sexual: float = 0.6) -> None:
        self.words = words
        self.sexual = sexual
        self.asked: list[str] = []

    def scores(self, readings: Sequence[str], listed: float) -> PromptScores:
        self.asked.append(readings[0])
        said = set(readings[0].replace(",", " ").split())
        return PromptScores(self.sexual if said >= set(self.words) else 0.1, 0.0, 0.0, 0.0, 0.0, False)


def check_with(
    monkeypatch: pytest.MonkeyPatch, saying: Saying | Meaning, settings: CheckSettings | None = None
) -> SexualTextCheck:
    monkeypatch.setattr("guardrail.checks.text.sexual.classifier", lambda: saying)
    return SexualTextCheck(settings)


def signals(check: SexualTextCheck, text: str, *, reference: bool = False) -> tuple[float, float]:
    image = ImageInput((np.zeros((64, 64, 3), np.uint8),))
    request = Request(texts=(TextInput(text),), images=(image,) if reference else ())
    (values,) = check.check([request], Stage.PROMPT)
    return values.signals["prompt.sexual"], values.signals["prompt.sexual_exempted"]  # type: ignore[union-attr,return-value]


@pytest.mark.parametrize(
    ("listed", "low", "high"),
    [
        (0.0, 0.0, 0.0),
        (0.35, 0.0, 0.25),
        (0.39, 0.0, 0.25),
        (0.40, 0.25, 0.40),
        (0.69, 0.25, 0.40),
        (0.7, 0.7, 0.7),
        (1.0, 1.0, 1.0),
    ],
)
def test_what_listed_words_count_alone(listed: float, low: float, high: float) -> None:
    assert low <= graded(listed) <= high
    # The classes keep apart: weak under leaning, suggestive under suggestive.
    assert (graded(listed) >= LEANING) == (listed >= SUGGESTIVE)
    assert (graded(listed) >= SUGGESTIVE) == (listed >= EXPLICIT)


@pytest.mark.parametrize(
    ("text", "saying", "expected"),
    [
        ("a lighthouse", 0.1, 0.1),
        ("a lighthouse", 0.8, 0.8),
        ("a naked woman", 0.1, 0.9),  # explicit words stand, whatever the classifier says
        ("a woman in lingerie", 0.1, graded(0.45)),
        ("a woman in lingerie", 0.75, 0.75),
    ],
)
def test_the_higher_counts(text: str, saying: float, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert signals(check_with(monkeypatch, Saying(saying)), text)[0] == pytest.approx(expected, abs=0.11)


def test_the_classifier_is_given_every_reading_and_what_the_lists_say(monkeypatch: pytest.MonkeyPatch) -> None:
    saying = Saying()
    signals(check_with(monkeypatch, saying), "a n.a.k.e.d woman")
    ((readings, listed),) = saying.asked
    assert readings[0] == "a n.a.k.e.d woman"
    assert any("naked woman" in reading for reading in readings[1:])
    assert listed >= EXPLICIT


@pytest.mark.parametrize(("reference", "expected"), [(False, 0.0), (True, 0.8)])
def test_undressing_counts_with_a_picture(reference: bool, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    check = check_with(monkeypatch, Saying(undress=0.8))
    assert signals(check, "lose the gown", reference=reference)[0] == pytest.approx(expected)


def test_a_deployments_own_phrases_count_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    check = check_with(monkeypatch, Saying(), CheckSettings(words=(("velvet hour look", 0.5),)))
    assert signals(check, "a velvet hour look at dusk") == (pytest.approx(0.5), pytest.approx(0.5))


def test_an_exemption_reaches_its_own_signal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reading(Saying):
        def scores(self, readings: Sequence[str], listed: float) -> PromptScores:
            super().scores(readings, listed)
            return PromptScores(0.8 * ("life drawing" in readings[0]), 0.0, 0.0, 0.0, 0.0, False)

    check = check_with(monkeypatch, Reading(), CheckSettings(exempt=("life drawing",)))
    assert signals(check, "a life drawing class") == (pytest.approx(0.8), pytest.approx(0.0))
    assert signals(check, "a life drawing class, naked woman")[1] >= EXPLICIT


def test_the_decision_says_which_weights_ran() -> None:
    assert set(SexualTextCheck().effective().weights) == {"prompt-ngrams", "prompt-encoder", "prompt-classifier"}


# ---- several prompts of one picture


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("a lady", "in moonlight"), 0.6),
        (("a lighthouse", "a lady", "in moonlight"), 0.6),
        (("moonlight over the sea", "a lady"), 0.6),
        (("a lady in moonlight",), 0.6),
        (("a lady in moonlight", "a lighthouse"), 0.6),
        (("a lady", "a lady"), 0.1),
        (("a lady", "  "), 0.1),
        (("a lady", TextInput("moonlight", "negative_prompt", negative=True)), 0.1),
    ],
)
def test_prompts_are_judged_as_one_sentence_too(
    texts: tuple[str | TextInput, ...], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = check_with(monkeypatch, Meaning("lady", "moonlight"))
    assert score(check, *texts) == pytest.approx(expected)


def test_a_copy_of_the_prompt_is_not_joined_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    meaning = Meaning("lady", "moonlight")
    score(check_with(monkeypatch, meaning), "a lady", "a lady")
    assert meaning.asked == ["a lady", "a lady"]
    meaning.asked.clear()
    score(check_with(monkeypatch, meaning), "a lady", "moonlight")
    assert meaning.asked == ["a lady", "moonlight", "a lady, moonlight"]


def test_what_a_deployment_exempts_is_exempt_in_joined_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    check = check_with(monkeypatch, Meaning("lady", "moonlight"), CheckSettings(exempt=("moonlight",)))
    (values,) = check.check([Request((TextInput("a lady"), TextInput("in moonlight")))], Stage.PROMPT)
    assert values.signals == {  # type: ignore[union-attr]
        "prompt.sexual": pytest.approx(0.6),
        "prompt.sexual_exempted": pytest.approx(0.1),
    }


# ---- the words that the classifier's score hangs on


def hangs_on(check: SexualTextCheck, *texts: str | TextInput, reference: bool = False) -> list[tuple[int, str, str]]:
    given = tuple(t if isinstance(t, TextInput) else TextInput(t) for t in texts)
    spans = check.attributed(given, reference)
    assert all(s.kind == "sexual" and s.score >= SUGGESTIVE for s in spans)
    return [(s.text, given[s.text].text[s.start : s.end], s.label) for s in spans]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("a lady in moonlight",), [(0, "lady", "classifier")]),
        (("a lighthouse in moonlight",), []),
        (("",), []),
        # A copy has the same words.
        (("a lady in moonlight", "a lady in moonlight"), [(0, "lady", "classifier"), (1, "lady", "classifier")]),
        # Only together, and in each of them where it is its own.
        (("a red lady", "in moonlight"), [(0, "lady", "classifier")]),
        (("moonlight, lady", "a lady"), [(0, "moonlight", "classifier")]),
        # What the lists find has spans of its own.
        (("a naked lady by day",), []),
        (("a naked lady in moonlight",), [(0, "lady", "classifier")]),
        (("a lady", TextInput("moonlight", "negative_prompt", negative=True)), []),
    ],
)
def test_what_the_classifier_alone_finds_has_words(
    texts: tuple[str | TextInput, ...], expected: list[tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hangs_on(check_with(monkeypatch, Meaning("lady", "moonlight")), *texts) == expected


def test_without_these_words_it_would_not_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    check = check_with(monkeypatch, Meaning("lady", "moonlight"))
    text = "the lady walks in the moonlight, red roses, 8k"
    (span,) = check.attributed([TextInput(text)], False)
    assert span.score == score(check, text) >= SUGGESTIVE
    assert score(check, text[: span.start] + text[span.end :]) < SUGGESTIVE


def test_a_sentence_that_hangs_on_no_few_words_is_named_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    check = check_with(monkeypatch, Saying(0.8))
    text = "one two three four five six seven eight nine ten"
    assert hangs_on(check, text) == [(0, text, "sentence")]


def test_undressing_hangs_on_words_only_with_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    class Undressing(Meaning):
        def scores(self, readings: Sequence[str], listed: float) -> PromptScores:
            undress = super().scores(readings, listed).sexual
            return PromptScores(0.0, 0.0, undress, 0.0, 0.0, False)

    check = check_with(monkeypatch, Undressing("lose", "gown"))
    assert hangs_on(check, "lose the gown") == []
    assert hangs_on(check, "lose the gown", reference=True) == [(0, "lose", "classifier")]


def test_an_ordinary_check_never_looks_for_words(monkeypatch: pytest.MonkeyPatch) -> None:
    meaning = Meaning("lady", "moonlight")
    assert score(check_with(monkeypatch, meaning), "a lady in moonlight") >= SUGGESTIVE
    assert len(meaning.asked) == 1


def test_there_is_an_end_to_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    check = check_with(monkeypatch, Meaning("lady", "moonlight"))
    monkeypatch.setattr("guardrail.checks.text.sexual.ATTRIBUTION_LIMIT_S", -1.0)
    with pytest.raises(CheckError, match="not found in time") as caught:
        check.attributed([TextInput("a lady in moonlight")], False)
    assert "lady" not in str(caught.value)


def test_the_shipped_weights_are_explained_too() -> None:
    """Whatever they find: under the threshold there is nothing to say, over it something is said."""
    check = SexualTextCheck()
    for text in ("a lighthouse at dusk", "she lies on the bed, legs spread, nothing left to imagination"):
        found = hangs_on(check, text)
        listed = any(s.score >= SUGGESTIVE for s in answer(check, text)[1])
        assert bool(found) == (score(check, text) >= SUGGESTIVE and not listed)
