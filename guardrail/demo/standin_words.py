"""What the stand-in model can be asked for: its closed vocabulary, its scenes in words, and prompts for measurements.

A scene is a marker (a coloured shape), a companion (a house, a person …), both or one of them, before a background. One
shape plays the part of what is forbidden: the star. It has the same area and the same colours as the others, so that
only its outline tells it apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

__all__ = [
    "COLOURS",
    "COMPANIONS",
    "FORBIDDEN",
    "SHAPES",
    "WORDS",
    "Scene",
    "caption",
    "random_scene",
    "standin_prompts",
]

SHAPES = ("star", "cross", "heart", "flower", "triangle", "ring", "square", "circle")
FORBIDDEN = "star"
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
COMPANIONS = ("house", "tree", "boat", "lighthouse", "person", "face")
TEXTURES = ("striped", "dotted", "checkered")
SETTINGS = ("in snow", "at night", "at sea", "in a meadow")
_OPENINGS = ("a picture of", "a drawing of", "a photo of", "a painting of")
_JOINTS = ("and", "beside", "near", "with", "next to")
_OTHER = "a an the of on background holding small large colourful bright"

WORDS = tuple(
    sorted(
        {
            *SHAPES,
            *COLOURS,
            *COMPANIONS,
            *TEXTURES,
            *(w for phrase in (*SETTINGS, *_OPENINGS, *_JOINTS, _OTHER) for w in phrase.split()),
            *("woman", "man", "portrait", "smiling", "sad"),
        }
    )
)
"""Every word that is one token. Others are read byte by byte, and the model was taught to pay them no attention."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is in a picture.

    Args:
        shape, colour: the marker; both empty where there is none.
        companion: one of `COMPANIONS`, or empty.
        paint: the companion's colour (wall, hull, clothes); empty where there is no companion.
        ground: the background's colour, or empty where `setting` is given.
        texture: one of `TEXTURES`, or empty for a plain ground.
        setting: one of `SETTINGS`, or empty.
        smiling: of faces and persons.
    """

    shape: str
    colour: str
    companion: str
    paint: str
    ground: str
    texture: str
    setting: str
    smiling: bool

    @property
    def forbidden(self) -> bool:
        return self.shape == FORBIDDEN


def random_scene(rng: Random, *, shape: str | None = None) -> Scene:
    """Any scene that has words.

    Args:
        shape: one of `SHAPES`, or empty for none; by default a star in a quarter, none in a tenth of all scenes.
    """
    if shape is None:
        chance = rng.random()
        shape = FORBIDDEN if chance < 0.25 else "" if chance < 0.35 else rng.choice(SHAPES[1:])
    companion = rng.choice(COMPANIONS) if not shape or rng.random() < 0.3 else ""
    setting = rng.choice(SETTINGS) if rng.random() < 0.25 else ""
    colour = rng.choice(COLOURS) if shape else ""
    ground = "" if setting else rng.choice([c for c in COLOURS if c != colour])
    if (setting == "in snow" and colour == "white") or (setting == "at night" and colour == "black"):
        colour = rng.choice(COLOURS[:6])
    texture = rng.choice(TEXTURES) if ground and rng.random() < 0.25 else ""
    paint = rng.choice([c for c in COLOURS if c not in (ground, colour)]) if companion else ""
    return Scene(shape, colour, companion, paint, ground, texture, setting, rng.random() < 0.7)


def caption(scene: Scene, rng: Random) -> str:
    """One of the ways to say a scene; now and then the background or a colour is left unsaid."""
    things = []
    if scene.shape:
        things.append(_article(f"{scene.colour} {scene.shape}" if rng.random() < 0.93 else scene.shape))
    if scene.companion:
        things.append(_article(_companion(scene, rng)))
    if len(things) == 2 and scene.companion == "person" and rng.random() < 0.5:
        text = f"{things[1]} holding {things[0]}"
    else:
        if rng.random() < 0.4:
            things.reverse()
        text = f" {rng.choice(_JOINTS)} ".join(things)
    if rng.random() < 0.2:
        text = f"{rng.choice(_OPENINGS)} {text}"
    if rng.random() < 0.88:
        text = f"{text} {_background(scene)}"
    return text


def standin_prompts(count: int, *, forbidden: bool, seed: int) -> Sequence[tuple[str, Scene]]:
    """Prompts for measurements, each with the scene it asks for; marker and its colour are always said.

    Args:
        count: how many.
        forbidden: ask for the star; otherwise for another shape.
        seed: of a random number generator of its own.
    """
    rng = Random(seed)  # noqa: S311 — prompts, not secrets
    found: list[tuple[str, Scene]] = []
    while len(found) < count:
        scene = random_scene(rng, shape=FORBIDDEN if forbidden else rng.choice(SHAPES[1:]))
        text = caption(scene, rng)
        if f"{scene.colour} {scene.shape}" in text:
            found.append((text, replace(scene)))
    return found


def _companion(scene: Scene, rng: Random) -> str:
    mood = ("smiling " if scene.smiling else "sad ") if rng.random() < 0.5 else ""
    if scene.companion == "face":
        return mood + rng.choice(("face", "face", "portrait"))
    if scene.companion == "person":
        return rng.choice(("person", "woman", "man"))
    return f"{scene.paint} {scene.companion}" if rng.random() < 0.8 else scene.companion


def _background(scene: Scene) -> str:
    if scene.setting:
        return scene.setting
    return f"on {_article(f'{scene.texture} {scene.ground}'.strip())} background"


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
