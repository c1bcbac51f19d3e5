"""Content Credentials in a file: what they say, whether they hold, and who vouches for them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from guardrail.errors import ConfigurationError, UnsupportedInput
from guardrail.marks.credentials.library import FORMATS, context, error_kind, library, pem_certificates
from guardrail.marks.credentials.manifest import actions_of, soft_bindings_of
from guardrail.media import Limits
from guardrail.media.decode import read_content, sniff

__all__ = ["Credentials", "failures", "load_anchors", "read_credentials", "read_store", "said_by"]

State = Literal["Trusted", "Valid", "Invalid"]
_LARGEST_LIST_BYTES = 8 << 20
_LONGEST_WORD = 256  # characters
_MOST_WORDS = 32
# The box in which all of it lies (JUMBF, ISO 19566-5). Without one a file that the library cannot parse has none.
_BOX = b"jumb"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the Content Credentials of a file say.

    Attributes:
        state: ``Trusted``: signed by somebody whom the given anchors vouch for, and unchanged since. ``Valid``:
            unchanged since it was signed, by somebody for whom nobody vouches: anyone can make such a file.
            ``Invalid``: changed, damaged, or signed by somebody who may not.
        says: by name: ``claim generator``, ``actions``, ``digital source type``, ``software``, ``signed by``,
            ``signed at`` (where it is time-stamped), ``soft binding``, ``soft binding algorithm``, ``ingredients``
            (how many), ``earlier digital source type`` (of the files that it was made from). Where the state is not
            Trusted, these are claims of an unknown person.
        problems: what does not hold, as codes of the C2PA specification (section 15); ``timeStamp.untrusted``: nobody
            among the anchors vouches for the time in ``signed at``.
    """

    state: State
    says: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read_credentials(
    content: bytes, *, anchors: bytes | None = None, limits: Limits | None = None
) -> Credentials | None:
    """What is in the file. Nothing is fetched: a manifest that lies elsewhere, revocation, or the time.

    Args:
        content: a PNG, JPEG, WebP, AVIF or GIF file.
        anchors: certificates in PEM whose holders are trusted (`load_anchors`); without them nothing is Trusted.

    Returns:
        ``None`` where the file carries none. That says nothing about where it comes from: they are easily stripped.

    Raises:
        UnsupportedInput: another kind of file.
        ImageTooLarge: more bytes than `limits` allows.
        ConfigurationError: the anchors are no certificates.
        MissingExtra: c2pa-python is not installed.
    """
    read_content(content, "the file", limits or Limits())
    form = sniff(content[:16])
    if form is None:
        raise UnsupportedInput("Content Credentials are read from PNG, JPEG, WebP, AVIF and GIF files")
    try:
        store = read_store(content, form, anchors)
    except ValueError as error:
        return Credentials("Invalid", {}, (str(error),))
    if store is None:
        return None
    state = store.get("validation_state")
    known: State = "Trusted" if state == "Trusted" else "Valid" if state == "Valid" else "Invalid"
    return Credentials(known, said_by(store), failures(store))


def read_store(content: bytes, form: str, anchors: bytes | None = None) -> dict[str, Any] | None:
    """All manifests of a file and what the library found out about them; ``None`` where it carries none.

    Raises:
        ValueError: there are some, and they cannot be read; the text is short and quotes nothing.
    """
    lib = library()
    settings = context(lib, anchors=anchors)
    try:
        with lib.Reader(FORMATS[form], io.BytesIO(content), context=settings) as reader:
            store = json.loads(reader.json())
    except lib.C2paError.ManifestNotFound:
        return None
    except lib.C2paError as error:
        if _BOX not in content:
            return None
        raise ValueError(f"unreadable: {error_kind(error)}") from None
    except (ValueError, RecursionError):
        raise ValueError("unreadable: Json") from None
    if not isinstance(store, dict):
        raise ValueError("unreadable: Json")  # noqa: TRY004 - what a file says, not what a caller gave
    return store


def said_by(store: Mapping[str, Any]) -> dict[str, str]:
    """See `Credentials.says`. Everything in it was written by whoever made the file: one line, printable, bounded."""
    manifests = store.get("manifests")
    manifests = manifests if isinstance(manifests, dict) else {}
    active = manifests.get(store.get("active_manifest"))
    active = active if isinstance(active, dict) else {}
    actions = actions_of(active)
    bindings = soft_bindings_of(active)
    signature = active.get("signature_info")
    signature = signature if isinstance(signature, dict) else {}
    ingredients = active.get("ingredients")
    earlier = [m for name, m in manifests.items() if name != store.get("active_manifest")]
    said = {
        "claim generator": _words(_product(entry) for entry in _list(active.get("claim_generator_info"))),
        "actions": _words(action.get("action") for action in actions),
        "digital source type": _words(_source(action) for action in actions),
        "software": _words(_product(action.get("softwareAgent")) for action in actions),
        "signed by": _words([signature.get("issuer"), signature.get("common_name")], " / "),
        "signed at": _words([signature.get("time")]),
        "soft binding": _words(value for _, value in bindings),
        "soft binding algorithm": _words(algorithm for algorithm, _ in bindings),
        "ingredients": str(len(ingredients)) if isinstance(ingredients, list) and ingredients else "",
        "earlier digital source type": _words(
            sorted(_word(_source(action)) for m in earlier for action in actions_of(m))
        ),
    }
    return {name: text for name, text in said.items() if text}


def failures(store: Mapping[str, Any]) -> tuple[str, ...]:
    """Codes of what does not hold, of the manifest in force and of its ingredients, each once."""
    results = store.get("validation_results")
    results = results if isinstance(results, dict) else {}
    parts = [results.get("activeManifest")]
    parts += [
        delta.get("validationDeltas") for delta in _list(results.get("ingredientDeltas")) if isinstance(delta, dict)
    ]
    codes = [
        _word(entry.get("code"))
        for part in parts
        if isinstance(part, dict)
        for kind in ("failure", "informational")
        for entry in _list(part.get(kind))
        # A time that nobody vouches for is no failure to the specification, but "signed at" would mislead.
        if isinstance(entry, dict) and (kind == "failure" or entry.get("code") == "timeStamp.untrusted")
    ]
    return tuple(dict.fromkeys(code for code in codes if code))[:_MOST_WORDS]


def load_anchors(path: str | Path) -> bytes:
    """A trust list: a file of certificates in PEM, such as the C2PA trust list.

    Raises:
        ConfigurationError: it cannot be read, or holds no certificate.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_LIST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the trust list {file} cannot be read ({error.strerror or type(error).__name__})"
        ) from None
    if len(content) > _LARGEST_LIST_BYTES:
        raise ConfigurationError(f"the trust list {file} has more than {_LARGEST_LIST_BYTES:,} bytes")
    return pem_certificates(content).encode()


def _source(action: Mapping[str, Any]) -> Any:
    return action.get("digitalSourceType")


def _product(entry: Any) -> str:
    if isinstance(entry, dict):
        return f"{_word(entry.get('name'))} {_word(entry.get('version'))}".strip()
    return _word(entry)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(values: Iterable[Any], between: str = ", ") -> str:
    """Each once, in their order."""
    return between.join(list(dict.fromkeys(word for value in values if (word := _word(value))))[:_MOST_WORDS])


def _word(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value[:_LONGEST_WORD]).split())
