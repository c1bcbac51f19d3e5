"""``guardrail check``: what it cannot work on is refused with exit code 2, before anything is decided or written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.said import Run, running
from tests.scripted import ScriptedFaces, ScriptedNudity, install


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`run("--image", …)` in the folder that holds `photo.png`."""
    install(monkeypatch, ScriptedNudity, ScriptedFaces)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 48), (9, 90, 40)).save("photo.png")
    return running(capsys, "check")


@pytest.fixture
def nothing_done(own_home: Path) -> Callable[[], bool]:
    """Whether no guard was made: the first one makes the data folder, with a key and the record."""
    return lambda: not own_home.exists()


REFUSED = {
    "an unset shell variable": (("--prompt", ""), "--prompt is empty"),
    "blanks": (("--prompt", "  ", "--negative", "blurry"), "--prompt is empty"),
    "no such picture": (("--image", "nowhere.png"), "--image: there is no file nowhere.png"),
    "the second picture": (("--image", "photo.png", "--image", "no.png"), "--image 2: there is no file no.png"),
    "an empty path": (("--image", ""), "--image: . is a folder"),
    "no such mask": (("--image", "photo.png", "--mask", "m.png"), "--mask: there is no file m.png"),
    "no such folder": (("--image", "photo.png", "--draw", "no/out.png"), "there is no folder no"),
    "a drawing that is no PNG": (("--image", "photo.png", "--draw", "out.jpg"), "ends in .png"),
    "a drawing without an ending": (("--image", "photo.png", "--draw", "out"), "ends in .png"),
    "a language that is none": (("--prompt", "a house", "--lang", "?"), "--lang"),
    "a locale that is none": (("--prompt", "a house", "--locale", "no language"), "--locale"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_worked_on_is_a_usage_error(run: Run, nothing_done: Callable[[], bool], name: str) -> None:
    options, message = REFUSED[name]
    said = run(*options)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert run(*options, "--json").json["error"] == "usage"
    assert nothing_done()


def test_an_empty_prompt_beside_a_picture_is_an_edit_without_words(run: Run, nothing_done: Callable[[], bool]) -> None:
    assert run("--prompt", "", "--image", "photo.png").code == 0
    assert not nothing_done()


def _itself(path: Path) -> str:
    return path.name


def _symlink(path: Path) -> str:
    Path("link.png").symlink_to(path)
    return "link.png"


def _hard_link(path: Path) -> str:
    os.link(path, "hard.png")
    return "hard.png"


def _of_the_second_picture(path: Path) -> str:
    Path("out-2.png").symlink_to(path)
    return "out.png"


@pytest.mark.parametrize("name", [_itself, _symlink, _hard_link, _of_the_second_picture])
@pytest.mark.parametrize("role", ["--image", "--mask"])
def test_a_drawing_never_takes_the_place_of_what_was_given(
    run: Run, nothing_done: Callable[[], bool], name: Callable[[Path], str], role: str
) -> None:
    Path("given.png").write_bytes(Path("photo.png").read_bytes())
    before = Path("given.png").read_bytes()
    said = run("--image", "photo.png", "--image", "photo.png", role, "given.png", "--draw", name(Path("given.png")))
    assert said.code == 2
    assert "given.png" in said.err
    assert Path("given.png").read_bytes() == before
    assert nothing_done()


def test_an_ending_in_capitals_is_one_too(run: Run) -> None:
    assert run("--image", "photo.png", "--draw", "OUT.PNG").code == 0
    assert Path("OUT.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("json", [False, True])
def test_a_drawing_that_fails_late_leaves_the_decision(
    run: Run, nothing_done: Callable[[], bool], monkeypatch: pytest.MonkeyPatch, json: bool
) -> None:
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.9))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    said = run("--image", "photo.png", "--draw", "out.png", *(["--json"] if json else []))
    assert said.code == 11
    assert "out.png cannot be written: No space left on device" in said.err
    if json:
        assert (said.json["action"], said.json["images"][0]["drawn"]) == ("block", None)
    else:
        assert "reference-nudity" in said.out
        assert "drawn:" not in said.out


def test_a_folder_that_cannot_be_written_is_refused_before_the_checks(
    run: Run, nothing_done: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anywhere
    said = run("--image", "photo.png", "--draw", "out.png")
    assert said.code == 2
    assert "--draw: out.png cannot be written" in said.err
    assert nothing_done()


# ---- languages


def test_a_language_without_a_text_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    said = run("--image", "photo.png", "--lang", "xx")
    assert said.code == 11
    assert "there is no message in xx" in said.err
    for spoken in ("ko", "en-GB", "es", "zh_CN"):
        assert "there is no message" not in run("--image", "photo.png", "--lang", spoken).err
    # What is allowed has no message in any language.
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.0))
    assert run("--image", "photo.png", "--lang", "xx").err == ""


# ---- who asks, and what for

PURPOSE = """\
policy: {id: by-purpose, version: 1.0.0, engine: ">=1,<2"}
rules:
  - id: adverts
    at: [prompt]
    when: {context.purpose: advertising}
    then: block
    severity: low
    message: adverts
messages:
  adverts: {en: No adverts., ko: 광고 금지.}
"""


def test_purpose_user_and_locale_reach_the_decision(run: Run) -> None:
    Path("policy.yaml").write_text(PURPOSE, "utf-8")
    asked = ("--prompt", "a house", "--policy", "policy.yaml")
    assert run(*asked).code == 0
    said = run(*asked, "--purpose", "advertising", "--user", "u17", "--locale", "ko")
    assert said.code == 11
    assert "광고 금지." in said.out
    context = run(*asked, "--purpose", "advertising", "--user", "u17", "--locale", "ko", "--json").json["context"]
    assert (context["purpose"], context["locale"]) == ("advertising", "ko")
    # The user is on record as a keyed hash only.
    assert context["user"]
    assert "u17" not in context["user"]
