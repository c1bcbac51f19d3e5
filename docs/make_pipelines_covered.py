"""The table of what is covered in the installed diffusers: writes docs/pipelines-covered.md, kept current by a test.

python docs/make_pipelines_covered.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from guardrail.pipelines.parameters import (
    GIVES_PARTS,
    GUARDED_AS,
    OUT_OF_SCOPE,
    Holds,
    held_by,
    names_of,
)
from tests.pipelines.survey import Survey, survey

PAGE = Path(__file__).parent / "pipelines-covered.md"
SHOWN = 8


def page(found: Survey) -> str:
    """The page for what is installed."""
    outside = {name: reason for reason, names in OUT_OF_SCOPE.items() for name in names.split()}
    lines = [
        "# What is covered in diffusers",
        "",
        "Made by `docs/make_pipelines_covered.py` from the source of the installed diffusers; do not edit.",
        "",
        f"diffusers {found.version}: {len(found.pipelines)} pipeline classes, {len(found.modular)} families of modular"
        f" blocks, {len(found.names())} names of parameters. All of them are on the list in"
        " `guardrail/pipelines/parameters.py`, and a test fails when one is missing.",
        "",
        "The value decides what a check sees, whatever the parameter is called: a text goes to the text checks, a"
        " picture to the image checks. The list tells apart what looks alike. What no check can read is named in the"
        " decision's `coverage` and as the signal `request.unverified`, which the policy judges; paths, addresses and"
        " iterators are refused. Lists, mappings, keys and objects are walked into, six levels deep.",
        "",
        "Every frame of a video is looked at, of those that go in and of those that come out, in every policy: up to"
        " 1,024 frames of a tensor or array, any number in a list. None is left out by timing, and the score of a video"
        " is the highest of its frames, so that more frames can only raise it.",
        "",
        "## By what a parameter holds",
        "",
        "| holds | names | classes | what the guard does |",
        "|---|---|---|---|",
    ]
    for holds in Holds:
        names = names_of(holds)
        classes = sum(any(held_by(n) is holds for n in given) for given in found.pipelines.values())
        shown = ", ".join(f"`{n}`" for n in names[:SHOWN]) + (f" … ({len(names)})" if len(names) > SHOWN else "")
        lines.append(f"| {holds.value} | {shown} | {classes} | {GUARDED_AS[holds]} |")
    lines += ["", "## Classes that are refused", ""]
    lines += ["No output of theirs could be judged: `wrap` and `install` raise.", ""]
    lines += [f"- {reason}: {', '.join(sorted(names.split()))}" for reason, names in OUT_OF_SCOPE.items()]
    lines += ["", "Classes that give embeddings for another pipeline are taken: what goes in is judged, what comes out"]
    lines += [f"is known by it, and the picture is judged where it is made: {', '.join(sorted(GIVES_PARTS.split()))}."]
    lines += ["", "Beside pictures a result may hold numbers, words, cameras, and sound. Sound is not judged: the"]
    lines += ["coverage says `audio`. Other pictures and latents in it are taken out: `output-withheld`."]
    lines += ["", "## Classes", "", "| class | texts | pictures and videos | embeddings, latents, tokens | others |"]
    lines.append("|---|---|---|---|---|")
    lines += [_row(name, names, name in outside) for name, names in found.pipelines.items()]
    lines += [
        "",
        "## Families of modular blocks",
        "",
        "| family | names | texts, pictures and videos |",
        "|---|---|---|",
    ]
    for family, names in found.modular.items():
        content = [n for n in names if held_by(n) in _TEXTS | _PICTURES]
        lines.append(f"| {family} | {len(names)} | {', '.join(content)} |")
    return "\n".join(lines) + "\n"


_TEXTS = {Holds.TEXT, Holds.NEGATIVE, Holds.SYSTEM}
_PICTURES = {Holds.IMAGE, Holds.CONTROL, Holds.CONTROL_VIDEO, Holds.MASK, Holds.VIDEO, Holds.OBJECT}
_OPAQUE = {Holds.TEXT_EMBEDDING, Holds.IMAGE_EMBEDDING, Holds.LATENT, Holds.CONDITION_LATENT, Holds.TOKEN_IDS}


def _row(name: str, names: tuple[str, ...], outside: bool) -> str:
    def of(kinds: set[Holds]) -> list[str]:
        return [n for n in names if held_by(n) in kinds]

    others = len([n for n in names if held_by(n) not in _TEXTS | _PICTURES | _OPAQUE and not n.startswith("*")])
    opaque = len(of(_OPAQUE))
    rest = f"{others}{', any keyword' if any(n.startswith('*') for n in names) else ''}"
    mark = " (refused)" if outside else ""
    return f"| {name}{mark} | {', '.join(of(_TEXTS))} | {', '.join(of(_PICTURES))} | {opaque or ''} | {rest} |"


if __name__ == "__main__":
    PAGE.write_text(page(survey()), "utf-8")
