"""``guardrail check``: judge a prompt and pictures without a pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import refuse

if TYPE_CHECKING:
    from guardrail.decision import Decision
    from guardrail.guard.look import Looked
    from guardrail.media import Region

__all__ = ["register"]

# A language tag, as RFC 5646 or POSIX writes it.
_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")


def check(
    prompt: Annotated[str | None, typer.Option(help="The prompt.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A reference image; may be given several times.")] = None,
    negative: Annotated[str | None, typer.Option(help="The negative prompt.")] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(
            help="The mask of an edit, white where it is repainted. It lies over the whole of every image, whatever "
            "its size; what any of several repaints counts."
        ),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            help="A PNG of the image with a box around what was found; OUT-2.png of a second. Of an animation the "
            "frame with the finding that matters most."
        ),
    ] = None,
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    names: Annotated[Path | None, typer.Option(help="A file with names to protect, one a line.")] = None,
    pack: Annotated[Path | None, typer.Option(help="The folder of a local insightface pack.")] = None,
    purpose: Annotated[str, typer.Option(help="What it is for: rules and consents may be bound to a purpose.")] = "",
    user: Annotated[str, typer.Option(help="A pseudonym of who asks, never a name; recorded as a keyed hash.")] = "",
    locale: Annotated[str, typer.Option(help="Language of who asks: rules see it, and messages are in it.")] = "en",
    lang: Annotated[str, typer.Option(help="Language of the message, if not that of --locale.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Print the texts with what fired underlined.")] = False,
    record: Annotated[bool, typer.Option(help="Put the decision on record.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the decision as JSON.")] = False,
) -> None:
    """Judge a prompt and reference images. Exit code: 0 allow, 10 alter, 11 block, 2 usage, 3 a check could not run."""
    images, masks = image or [], mask or []
    wrong = (
        _unusable_texts(prompt, negative, images, explain=explain)
        or _unusable_files(images, masks, draw)
        or next((f"{o}: {t!r} is no language" for o, t in _tags(lang, locale) if not _TAG.fullmatch(t)), "")
    )
    if wrong:
        refuse(wrong, json)
    from guardrail import Guard
    from guardrail.guard.explain import Explained
    from guardrail.guard.explain import explain as explained
    from guardrail.guard.look import described, labelled, look
    from guardrail.media import TextInput

    options: dict[str, Any] = {"names": names or (), "insightface_pack": pack.absolute() if pack else ""}
    with (
        Guard(policy, audit="auto" if record else None, releases=False, **options) as guard,
        guard.context(purpose=purpose, user=user, locale=locale),
    ):
        given = [TextInput(prompt)] if prompt is not None else []
        given += [TextInput(negative, "negative_prompt", negative=True)] if negative is not None else []
        decision = guard.check_request(prompt=prompt, images=images, negative_prompt=negative, masks=masks)
        # Texts that were refused unread (too long) are looked at no more than they are explained.
        unread = any(r.kind == "input" and r.stage.value == "prompt" for r in decision.reasons)
        seen: tuple[Looked, ...] = look(guard, images, masks=masks, texts=() if unread else given) if images else ()
        texts: tuple[Explained, ...] = ()
        # What was refused unread is not explained either: the decision says why.
        if explain and not unread:
            texts = explained(guard, given)
    drawn = _draw(seen, draw, labelled) if draw is not None else {}
    if json:
        explanation = {"explain": [t.to_json() for t in texts]} if explain else {}
        show.print_json({**decision.to_json(), **explanation, **_pictures(seen, drawn)})
    else:
        show.print_decision(decision, lang)
        show.print_looked(seen, [p.name for p in images], described)
        _print_drawn(seen, drawn)
        for text in (a.text for a in decision.alterations if a.text is not None):
            show.say(f"rewritten: {text}")
        if explain:
            show.print_explained(texts)
        _note_language(decision, lang or locale)
    raise typer.Exit(show.exit_code(decision))


# ---- what it cannot work on, found before anything is decided


def _unusable_texts(prompt: str | None, negative: str | None, images: Sequence[Path], *, explain: bool) -> str:
    if prompt is None and not images and negative is None:
        return "give --prompt, --image or both"
    if explain and prompt is None and negative is None:
        return "--explain needs a text: give --prompt or --negative"
    if not images:
        for option, text in (("--prompt", prompt), ("--negative", negative)):
            if text is not None and not text.strip():
                return f"{option} is empty, and there is no --image: is a variable of the shell not set?"
    return ""


def _unusable_files(images: Sequence[Path], masks: Sequence[Path], draw: Path | None) -> str:
    from guardrail.cli.boxes import drawn_path, obstacle

    if (masks or draw) and not images:
        return "--mask and --draw need a picture: give --image"
    for option, paths in (("--image", images), ("--mask", masks)):
        for index, path in enumerate(paths):
            if missing := _missing(path):
                return f"{option}{f' {index + 1}' if len(paths) > 1 else ''}: {missing}"
    if draw is not None:
        found = (obstacle(drawn_path(draw, index), (*images, *masks)) for index in range(len(images)))
        return next((f"--draw: {why}" for why in found if why), "")
    return ""


def _missing(path: Path) -> str:
    """Why a path names no file; a pipe or a device is for the decision to refuse."""
    try:
        if path.is_dir():
            return f"{path} is a folder (an empty path is this one)" if path == Path() else f"{path} is a folder"
        return "" if path.exists() else f"there is no file {path}"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"


def _tags(lang: str, locale: str) -> Iterable[tuple[str, str]]:
    return (("--locale", locale), *((("--lang", lang),) if lang else ()))


# ---- what is said besides the decision


def _draw(seen: Sequence[Looked], out: Path, label: Callable[[Region], str]) -> dict[int, Path]:
    """The path of each picture written, by the index of its image."""
    from guardrail.cli.boxes import draw_boxes, drawn_path

    written: dict[int, Path] = {}
    for one in seen:
        if one.image is not None:
            path = drawn_path(out, one.index)
            try:
                draw_boxes(one.image.frames, one.found, path, label, one.telling_frame)
            except OSError as error:
                # The decision was made, and may be on record: it is printed all the same.
                why = error.strerror or "not a usable path"
                show.say(f"guardrail: {path} cannot be written: {why}; the decision stands", err=True)
            else:
                written[one.index] = path
    return written


def _pictures(seen: Sequence[Looked], drawn: Mapping[int, Path]) -> dict[str, Any]:
    if not seen:
        return {}
    told = [
        {
            "drawn": str(drawn[one.index]) if one.index in drawn else None,
            "drawn_frame": one.telling_frame if one.index in drawn else None,
        }
        for one in seen
    ]
    return {"images": [{**one.to_json(), **more} for one, more in zip(seen, told, strict=True)]}


def _print_drawn(seen: Sequence[Looked], drawn: Mapping[int, Path]) -> None:
    for one in seen:
        if one.index in drawn and one.image is not None:
            frames, found = len(one.image.frames), len({r.frame for r in one.found})
            which = f", frame {one.telling_frame + 1} of {frames}" if frames > 1 else ""
            which += f"; something was found in {found} frames" if found > 1 else ""
            show.say(f"drawn: {drawn[one.index]}{which}")


def _note_language(decision: Decision, lang: str) -> None:
    """Say so where the message is in English because there is none in `lang`."""
    # Without the number of the decision, which is written in each language its own way.
    told, english = (decision.message(tag).rpartition(" (")[0] for tag in (lang, "en"))
    if told and told == english and lang[:2].lower() != "en":
        show.say(f"guardrail: there is no message in {lang}: it is in English", err=True)


def register(app: typer.Typer) -> None:
    app.command()(check)
