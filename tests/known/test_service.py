"""Outside services: what they are told, and what their failures do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from guardrail.errors import KnownImagesError
from guardrail.keys import Keyring
from guardrail.known import HashLists, Hit, Probe, WithServices
from tests.known.drawn import drawn


class Service:
    name = "hotline"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Probe] = []

    def __call__(self, probe: Probe) -> Iterable[str]:
        self.asked.append(probe)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


def test_its_lists_come_after_the_local_ones_and_it_never_sees_pixels(tmp_path: Path) -> None:
    lists = HashLists(tmp_path, Keyring([bytes(32)], source="test"))
    lists.add("ours", drawn(1))
    service = Service(["b", "a", "b"])
    both = WithServices(lists, [service])
    assert both.asked()
    hits = both.search(Probe.of(drawn(1), b"f" * 32))
    assert hits == [Hit("ours", "pixels"), Hit("a", "service"), Hit("b", "service")]
    (probe,) = service.asked
    assert probe.file == b"f" * 32
    assert probe.hashes.shape == (8, 32)
    assert probe._frame is None
    assert len(probe.changed()[0]) == 0


def test_services_alone() -> None:
    assert WithServices(None, [Service([])]).asked()
    assert not WithServices(None, []).asked()
    assert WithServices(None, [Service([])]).search(Probe.of(drawn(1))) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (TimeoutError("secret"), "hotline failed: TimeoutError"),
        (ValueError("secret"), "hotline failed: ValueError"),
        (None, "hotline failed: TypeError"),
        ("a", "something else than names"),
        ([1], "something else than names"),
        ([""], "something else than names"),
        (b"a", "something else than names"),
    ],
)
def test_a_failure_or_nonsense_is_an_error_that_quotes_nothing(answer: Any, message: str) -> None:
    with pytest.raises(KnownImagesError, match=message) as caught:
        WithServices(None, [Service(answer)]).search(Probe.of(drawn(1)))
    assert "secret" not in str(caught.value)
