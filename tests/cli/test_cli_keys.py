"""`guardrail keys`: which keys there are, and a new one in front of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from guardrail import Guard
from guardrail.guard.build import open_audit
from guardrail.keys import load_keyring, rotate
from guardrail.known import HashLists
from guardrail.paths import home
from tests.cli.said import Run, running
from tests.known.drawn import drawn


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "keys")


def secrets(path: Path) -> list[str]:
    return [entry["secret"] for entry in json.loads(path.read_text())["keys"]]


def test_showing_makes_no_key(run: Run, own_home: Path) -> None:
    assert run("show", "--json").json == {"source": None, "keys": []}
    assert "one is made on first use" in run("show").out
    assert not own_home.exists()


def test_show_and_rotate_say_ids_and_dates_and_no_key(run: Run, own_home: Path) -> None:
    first = load_keyring().active
    done = run("rotate", "--json")
    ring = load_keyring()
    assert ring.ids == (ring.active, first)
    assert (done.json["active"], done.json["older"]) == (ring.active, [first])
    shown = run("show", "--json")
    assert shown.json["source"] == str(own_home / "keyring.json")
    assert [(k["id"], k["active"]) for k in shown.json["keys"]] == [(ring.active, True), (first, False)]
    assert all(k["created"].startswith("20") for k in shown.json["keys"])
    said = run("rotate")
    for word in ("guardrail gallery rekey", "guardrail known rekey", "estart", "older keys"):
        assert word in said.out
    table = run("show").out
    assert load_keyring().active in table
    assert "active" in table
    text = "".join(s.out + s.err for s in (done, shown, said)) + table
    assert not any(secret in text for secret in secrets(own_home / "keyring.json"))


@pytest.mark.parametrize(("value", "message"), [("ab" * 32, "in front of the others"), ("ab", "32 are needed")])
def test_keys_from_the_environment_are_shown_and_not_rotated(
    run: Run, monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("GUARDRAIL_KEY", value)
    said = run("rotate")
    assert said.code == 3
    assert message in said.err
    assert value not in said.err
    if message == "in front of the others":
        assert [k["created"] for k in run("show", "--json").json["keys"]] == [""]


def test_after_a_rotation_a_new_guard_starts_and_goes_on(make_guard: Callable[..., Guard]) -> None:
    """Lists, gallery and record are under the older key; each goes on."""
    rules = "rules: [{id: known-image, at: [output], when: {output.hash_match: true}, then: block}]"
    audit = home() / "audit.sqlite"
    HashLists(home() / "known", load_keyring()).add("ours", drawn(1))
    picture = Image.fromarray(drawn(2, (256, 256)))
    guard = make_guard(rules, gallery="auto", audit=audit)
    assert not guard.check_output(picture).blocked
    rotate()
    after = make_guard(rules, gallery="auto", audit=audit)
    assert not after.check_output(picture).blocked
    assert after.check_output(Image.fromarray(drawn(1))).blocked
    with open_audit(audit, load_keyring()) as log:  # type: ignore[union-attr]
        assert log.verify().ok
