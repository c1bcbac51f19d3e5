"""What matplotlib writes as SVG, made fit for a page that allows no inline style, and the same bytes everywhere.

Style attributes become presentation attributes; colours become classes, so that the page's own colours, light or dark,
hold; texts stay text, in the reader's fonts and in any script; ids that nothing points to go, the others are the
figure's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from xml.etree import ElementTree

__all__ = ["cleaned", "without_controls"]

_KEPT = re.compile(r"fill|stroke|opacity|text-anchor|font-size|font-weight|clip-")
_LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
_TEXT = re.compile(r"T(\d+)T")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DROPPED = {"metadata", "style"}
_POINTED_TO = re.compile(r"url\(#([^)]+)\)")

Element = ElementTree.Element


def without_controls(text: str) -> str:
    """Without the characters that no XML document may hold; what they were is shown as a replacement character."""
    return _NO_XML.sub("\ufffd", text)


def cleaned(raw: str, prefix: str, texts: Sequence[str], colours: Mapping[str, str]) -> str:
    """The children of the SVG's root, as text.

    Args:
        raw: a whole SVG document of matplotlib.
        prefix: begins every id; different for each figure of a page.
        texts: in the drawing ``T0T``, ``T1T``, … stand for them.
        colours: ``#rrggbb`` → class; ``fill`` becomes ``f-`` and the class, ``stroke`` ``s-`` and the class.
    """
    root = ElementTree.fromstring(raw)  # noqa: S314 - of what was just drawn, never of a file
    shapes = {node.get("id", ""): node for node in root.iter() if _name(node) == "path" and node.get("id")}
    pointed_to = set(_POINTED_TO.findall(raw))
    written: list[str] = []

    def write(node: Element) -> None:
        name = _name(node)
        if name in _DROPPED or (name == "path" and node.get("id")):
            return
        kept = _attributes(node, colours)
        if name == "use":
            link = next(v for k, v in node.attrib.items() if k.endswith("href")).removeprefix("#")
            x, y = kept.pop("x"), kept.pop("y")
            kept = {**_attributes(shapes[link], colours), **kept, "transform": f"translate({x} {y})"}
            name = "path"
        elif (own := node.get("id")) in pointed_to:
            kept["id"] = f"{prefix}-{own}"
        if "clip-path" in kept:
            kept["clip-path"] = _POINTED_TO.sub(rf"url(#{prefix}-\1)", kept["clip-path"])
        if name in ("g", "defs") and not kept and name == "g":
            for child in node:
                write(child)
            return
        inside = len(written)
        shown = "".join(f' {k}="{escape(v)}"' for k, v in kept.items())
        written.append("")
        text = escape(without_controls(_TEXT.sub(lambda m: texts[int(m[1])], (node.text or "").strip())))
        for child in node:
            write(child)
        if text or len(written) > inside + 1:
            written[inside] = f"<{name}{shown}>{text}"
            written.append(f"</{name}>")
        elif name != "defs":
            written[inside] = f"<{name}{shown}/>"

    for child in root:
        write(child)
    return "".join(written)


def _name(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _attributes(node: Element, colours: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    classes = []
    given = dict(node.attrib)
    style = [part.partition(":") for part in given.pop("style", "").split(";") if part.strip()]
    given |= {name.strip(): value.strip() for name, _, value in style}
    for name, value in given.items():
        if name == "id" or "}" in name or name in ("font-family", "font"):
            continue
        if name in ("fill", "stroke") and value in colours:
            classes.append(f"{name[0]}-{colours[value]}")
        if name == "transform" and value.startswith("rotate(-0 "):
            continue  # no turn at all
        if name in ("d", "x", "y", "width", "height", "transform", "points") or _KEPT.match(name):
            kept[name] = _LONG.sub(_short, " ".join(value.split()))
    return {"class": " ".join(classes), **kept} if classes else kept


def _short(number: re.Match[str]) -> str:
    """Hundredths of a pixel: finer ones may differ between two machines."""
    return f"{round(float(number[0]), 2) + 0.0:g}"
