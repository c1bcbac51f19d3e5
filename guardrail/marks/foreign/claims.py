"""Which generator a file's own metadata names: by the fields that each of them is known to write.

Only the name, the version and the field are reported: what stands in the same fields of prompts, seeds and paths is
read over and never given out. Anybody could have written or removed all of it: a claim, with no rate of error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from guardrail.marks.foreign.fields import fields_of
from guardrail.marks.label import SOURCE_TYPES

__all__ = ["Claim", "read_claims"]

_LONGEST_NAME = 64  # characters
_MOST_CLAIMS = 8
_VERSION = r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,40}"
_LONGEST_NAMING = 256  # characters of a field that names a program; what is longer is looked at no further
_AI_SOURCES = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicMedia",
    "compositeSynthetic",
)
_AI_ADDRESS = re.compile(rf"{re.escape(SOURCE_TYPES.removeprefix('http://'))}(?:{'|'.join(_AI_SOURCES)})\b")


@dataclass(frozen=True, slots=True)
class Claim:
    """What one field says.

    Attributes:
        generator: its name; ``not named`` where the field only says that a model made the picture.
        version: as the field has it, or empty.
        field: which field says so, such as ``PNG text parameters``.
    """

    generator: str
    version: str
    field: str


# Names of services and programs as they stand in Software, CreatorTool and Credit; the first that is there counts.
_NAMES: tuple[tuple[str, str], ...] = (
    ("adobe firefly", "Adobe Firefly"),
    ("made with google ai", "Google AI (Imagen, Gemini)"),
    ("edited with google ai", "Google AI (Imagen, Gemini)"),
    ("google generative ai", "Google AI (Imagen, Gemini)"),
    ("microsoft designer", "Microsoft Designer"),
    ("bing image creator", "Bing Image Creator"),
    ("midjourney", "Midjourney"),
    ("dall·e", "DALL·E (OpenAI)"),
    ("dall-e", "DALL·E (OpenAI)"),
    ("chatgpt", "ChatGPT (OpenAI)"),
    ("openai", "OpenAI"),
    ("gpt-4o", "GPT-4o (OpenAI)"),
    ("novelai", "NovelAI"),
    ("invokeai", "InvokeAI"),
    ("invoke-ai", "InvokeAI"),
    ("comfyui", "ComfyUI"),
    ("swarmui", "SwarmUI"),
    ("fooocus", "Fooocus"),
    ("sd.next", "SD.Next"),
    ("draw things", "Draw Things"),
    ("diffusionbee", "DiffusionBee"),
    ("easy diffusion", "Easy Diffusion"),
    ("diffusers", "diffusers"),
    ("stable diffusion", "Stable Diffusion"),
    ("black forest labs", "FLUX (Black Forest Labs)"),
    ("leonardo.ai", "Leonardo.Ai"),
    ("ideogram", "Ideogram"),
    ("recraft", "Recraft"),
)
# As words of their own: "Ideogramm Verlag" is a publisher. A version may follow at once.
_PATTERNS = tuple(
    (re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W\d_])", re.IGNORECASE), name) for word, name in _NAMES
)
# Names of companies: a credit of theirs is under photographs as well.
_COMPANIES = frozenset(("openai", "black forest labs"))
# Fields whose whole purpose is to name the program. Captions, keywords and manifests are not searched for names: they
# also tell of people who work for one.
_NAMING = MappingProxyType(
    {
        "png:Software": "PNG text Software",
        "png:software": "PNG text software",
        "exif:Software": "EXIF Software",
        "exif:Make": "EXIF Make",
        "xmp:xmp:CreatorTool": "XMP CreatorTool",
        "xmp:tiff:Software": "XMP Software",
    }
)
# Fields that name a program only where nothing else stands in them.
_WHOLE = MappingProxyType({"xmp:photoshop:Credit": "XMP Credit", "exif:MakerNote": "EXIF MakerNote"})
_SETTINGS = re.compile(r"\bSteps: \d{1,4}, Sampler: ")
_SETTINGS_VERSION = re.compile(rf"\bVersion: (?:(Fooocus|ComfyUI)\b ?)?({_VERSION})?")


def read_claims(content: bytes) -> tuple[Claim, ...]:
    """The generators that a PNG, JPEG, WebP or AVIF file names, each once; at most 8. Never raises."""
    found: dict[str, Claim] = {}
    for claim in _claims(fields_of(content)):
        known = found.get(claim.generator)
        # One that also knows the version says more.
        if known is None or (claim.version and not known.version):
            found[claim.generator] = claim
        if len(found) == _MOST_CLAIMS:
            break
    if len(found) > 1:
        found.pop("not named", None)
    return tuple(found.values())


def _claims(fields: Mapping[str, str]) -> Iterator[Claim]:
    yield from _settings(fields)
    yield from _graphs(fields)
    yield from _novelai(fields)
    yield from _midjourney(fields)
    for key, where in _NAMING.items():
        if known := _known(fields.get(key, "")):
            yield Claim(*known, where)
    for key, where in _WHOLE.items():
        text = fields.get(key, "")[:_LONGEST_NAMING].strip(" \0").lower()
        if text not in _COMPANIES and (name := dict(_NAMES).get(text)):
            yield Claim(name, "", where)
    yield from _standards(fields)
    for key, where in (("iptc", "IPTC"), ("c2pa", "C2PA manifest, not validated")):
        if _AI_ADDRESS.search(fields.get(key, "")):
            yield Claim("not named", "", where)


def _settings(fields: Mapping[str, str]) -> Iterator[Claim]:
    """Generation settings as AUTOMATIC1111's web UI writes them, and those who took the form over."""
    scheme = "png:fooocus_scheme" in fields
    for key, where in (
        ("png:parameters", "PNG text parameters"),
        ("exif:UserComment", "EXIF UserComment"),
        ("xmp:exif:UserComment", "XMP UserComment"),
        ("jpeg:comment", "JPEG comment"),
    ):
        text = fields.get(key, "")
        if '"sui_image_params"' in text:
            yield Claim("SwarmUI", _value(text, "swarm_version"), where)
        elif scheme or re.search(r'"(?:version|metadata_scheme)"\s*:\s*"fooocus', text, re.IGNORECASE):
            yield Claim("Fooocus", _value(text, "version").removeprefix("Fooocus").strip(" v"), where)
        elif settings := _SETTINGS.search(text):
            line = text[settings.start() : settings.start() + 16_384]
            said = _SETTINGS_VERSION.search(line)
            name, version = (said.group(1) or "", said.group(2) or "") if said else ("", "")
            if re.search(r"\bApp: SD\.Next\b", line):
                name = "SD.Next"
            elif not name and re.match(r"f\d|neo\b", version):
                name = "Stable Diffusion WebUI Forge"
            yield Claim(name or "Stable Diffusion WebUI (AUTOMATIC1111)", version, where)
        elif '"use_stable_diffusion_model"' in text:
            yield Claim("Easy Diffusion", "", where)


def _graphs(fields: Mapping[str, str]) -> Iterator[Claim]:
    """ComfyUI's graphs, and InvokeAI's records of three ages."""
    for key, where in (
        ("png:prompt", "PNG text prompt"),
        ("exif:Model", "EXIF Model"),
        ("png:workflow", "PNG text workflow"),
        ("exif:Make", "EXIF Make"),
        ("exif:UserComment", "EXIF UserComment"),
    ):
        text = fields.get(key, "").lstrip()
        # In WebP it writes "prompt:{…}" and "workflow:{…}" into EXIF. One regular expression with white space twice
        # would try every way of sharing a long run of it out (quadratic time).
        text = text.removeprefix("prompt:").removeprefix("workflow:").lstrip()
        if text.startswith("{") and ('"class_type"' in text or ('"nodes"' in text and '"links"' in text)):
            yield Claim("ComfyUI", "", where)
            break
    for key in ("invokeai_metadata", "sd-metadata", "invokeai_graph", "invokeai_workflow", "Dream"):
        if f"png:{key}" in fields:
            version = _value(fields[f"png:{key}"], "app_version").removeprefix("v")
            yield Claim("InvokeAI", version, f"PNG text {key}")


def _novelai(fields: Mapping[str, str]) -> Iterator[Claim]:
    for kind, where in (("png:", "PNG text Software"), ("exif:", "EXIF Software")):
        if re.match(r"NovelAI\b", fields.get(f"{kind}Software", "")):
            # Names the model and its hash: "NovelAI Diffusion V4 4F49EC75".
            source = fields.get("png:Source", "")
            known = re.fullmatch(r"(?:NovelAI|Stable) ?Diffusion[ A-Za-z0-9.]{0,40}", source)
            yield Claim("NovelAI", source if known else "", where)


def _midjourney(fields: Mapping[str, str]) -> Iterator[Claim]:
    for key, where in (
        ("png:Description", "PNG text Description"),
        ("exif:ImageDescription", "EXIF ImageDescription"),
        ("xmp:dc:description", "XMP description"),
    ):
        text = fields.get(key, "")[:65_536]
        if re.search(r"\bJob ID: [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", text):
            version = re.search(r"--v (\d{1,2}(?:\.\d{1,2})?)\b", text)
            yield Claim("Midjourney", version.group(1) if version else "", where)


def _standards(fields: Mapping[str, str]) -> Iterator[Claim]:
    """IPTC Photo Metadata 2025.1 and the Chinese AIGC field (GB 45438-2025)."""
    if system := _words(fields.get("xmp:Iptc4xmpExt:AISystemUsed", "")):
        version = _words(fields.get("xmp:Iptc4xmpExt:AISystemVersionUsed", ""))
        yield Claim(system, version, "XMP AISystemUsed")
    for key, where in (("xmp:TC260:AIGC", "XMP TC260:AIGC"), ("png:AIGC", "PNG text AIGC")):
        if re.search(r'"Label"\s*:\s*"?[123]\b', text := fields.get(key, "")):
            yield Claim(_value(text, "ContentProducer") or "not named", "", where)
    source = fields.get("xmp:Iptc4xmpExt:DigitalSourceType", "")
    if source.removeprefix(SOURCE_TYPES).removeprefix(SOURCE_TYPES.replace("http:", "https:")) in _AI_SOURCES:
        yield Claim("not named", "", "XMP DigitalSourceType")


def _known(text: str) -> tuple[str, str] | None:
    """A known name, and the version behind it: ``Fooocus v2.5.5``, ``diffusers/0.36``."""
    text = text[:_LONGEST_NAMING]
    for pattern, name in _PATTERNS:
        if found := pattern.search(text):
            version = re.match(rf"[ /]v?(\d{_VERSION.removeprefix('[0-9A-Za-z]')})", text[found.end() :])
            return name, version.group(1) if version else ""
    return None


def _value(text: str, key: str) -> str:
    """A short string in JSON, by its key, without parsing the whole."""
    found = re.search(rf'"{key}"\s*:\s*"([^"\\]{{1,{_LONGEST_NAME}}})"', text)
    return _words(found.group(1)) if found else ""


def _words(text: str) -> str:
    """One line of printable characters, of bounded length."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:256]).split())[:_LONGEST_NAME].strip()
