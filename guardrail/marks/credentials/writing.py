"""Signing: the manifest goes into the finished file, last of all, and is read back.

What is written is determined by the label and the input; the signature and the identifiers of manifests are not, since
the library draws them at random.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from guardrail.errors import ConfigurationError, MarkError
from guardrail.marks.credentials.certificates import raw_signature, require_usable, signed_by
from guardrail.marks.credentials.library import FORMATS, context, error_kind, library
from guardrail.marks.credentials.manifest import actions_of, definition, ingredient, soft_bindings_of
from guardrail.marks.credentials.reading import failures, read_store
from guardrail.marks.label import Label
from guardrail.media.decode import sniff

if TYPE_CHECKING:
    from guardrail.marks.credentials.signer import Signer

__all__ = ["sign", "signing", "try_out"]

_NAMES = {"jpg": "JPEG", **{name.lower(): name for name in ("PNG", "JPEG", "WEBP", "AVIF")}}
# Hard bindings: the hash over the file that is in force for each format.
_BOUND = frozenset({"assertion.dataHash.match", "assertion.bmffHash.match", "assertion.boxesHash.match"})
_THUMBNAIL = "c2pa.thumbnail"


def signing(label: Label, signer: Signer, ingredient: bytes | None = None) -> Callable[[bytes, str], bytes]:
    """`sign` as what `encode_image(…, sign=…)` calls last, with the content and the format of the file."""
    return lambda content, form: sign(content, form, label, signer, ingredient=ingredient)


def sign(content: bytes, form: str, label: Label, signer: Signer, *, ingredient: bytes | None = None) -> bytes:
    """The file with Content Credentials in it. Nothing may be changed in it afterwards, metadata neither.

    Args:
        content: a finished PNG, JPEG, WebP or AVIF file with its metadata.
        form: its format: png, jpg, jpeg, webp or avif, with or without a dot, or as a media type.
        label: what is said; its mark id becomes the soft binding.
        ingredient: the file that the picture was made from. Credentials that it carries are kept, with what was found
            wrong with them; thumbnails in them are redacted, since they are copies of somebody's picture. Credentials
            that cannot be read are left out, and the ingredient says so.

    Raises:
        MarkError: the file is of another format or carries credentials already, a certificate has expired by now, it
            cannot be signed, or what was signed does not read back as written.
        MissingExtra: c2pa-python is not installed.
    """
    name = _format(content, form)
    try:
        require_usable(signer.certificates, signer.algorithm, dt.datetime.now(dt.UTC))
    except ConfigurationError as error:
        # It was usable when the signer was made. What is to be released now is not.
        raise MarkError(str(error)) from None
    if ingredient is None and _carries(content, name):
        raise MarkError(
            "the file carries Content Credentials already, which would be lost: give the file as the ingredient"
        )
    if ingredient is None:
        return _signed(content, name, definition(label), signer)
    kind = sniff(ingredient[:16])
    if kind is None:
        raise MarkError("the ingredient is not a PNG, JPEG, WebP, AVIF or GIF file")
    redactions = _thumbnails(ingredient, kind)
    if redactions is not None:
        manifest = definition(label, opened=True, redactions=redactions)
        with contextlib.suppress(_IngredientError):
            return _signed(content, name, manifest, signer, ingredient, FORMATS[kind])
    return _signed(content, name, definition(label, opened=True, unreadable=FORMATS[kind]), signer)


def try_out(signer: Signer) -> None:
    """Sign a picture of one pixel, without a time stamp.

    Raises:
        MarkError: it cannot be signed.
        ConfigurationError: the address of the time-stamping authority is none.
    """
    label = Label("trainedAlgorithmicMedia", "guardrail", mark_id="0")
    _signed(_pixel(), "PNG", definition(label), signer, stamped=False)


class _IngredientError(Exception):
    """The library does not take the manifest of an input, or what comes of it does not validate."""


def _signed(
    content: bytes,
    form: str,
    manifest: dict[str, Any],
    signer: Signer,
    source: bytes | None = None,
    source_type: str = "",
    *,
    stamped: bool = True,
) -> bytes:
    lib = library()
    tsa = signer.tsa if stamped else None
    written = io.BytesIO()
    with contextlib.ExitStack() as stack:
        box = stack.enter_context(_native(lib, signer, tsa))
        settings = stack.enter_context(context(lib, tsa=signer.tsa))
        try:
            builder = stack.enter_context(lib.Builder(manifest, context=settings))
            if source is not None:
                with _of_ingredient(lib):
                    builder.add_ingredient(ingredient(), source_type, io.BytesIO(source))
            builder.sign(box.signer, FORMATS[form], io.BytesIO(content), written)
        except lib.C2paError as error:
            if box.failed is not None:
                _raise_of_callback(box.failed)
            if source is not None and tsa is None:
                raise _IngredientError from None
            # With a time stamp it may be the authority that failed: no reason to leave out what the input carries.
            hint = "; can the time-stamping authority be reached?" if tsa else ""
            raise MarkError(
                f"Content Credentials could not be signed into the file ({error_kind(error)}){hint}"
            ) from None
    signed = written.getvalue()
    try:
        _require_as_written(signed, form, manifest, signer, source is not None or "ingredients" in manifest)
    except MarkError:
        if source is not None:
            raise _IngredientError from None
        raise
    return signed


@contextlib.contextmanager
def _of_ingredient(lib: Any) -> Iterator[None]:
    try:
        yield
    except lib.C2paError:
        raise _IngredientError from None


class _Native:
    """A signer of the library, for one signature; and what the callback raised, which the library would only log."""

    def __init__(self, lib: Any, owner: Signer, tsa: str | None) -> None:
        self.failed: BaseException | None = None
        self._owner = owner
        if owner.key is not None:
            details = lib.C2paSignerInfo(owner.algorithm, owner.chain, owner.key, tsa)
            self.signer = lib.Signer.from_info(details)
        else:
            algorithm = lib.C2paSigningAlg[owner.algorithm.upper()]
            self.signer = lib.Signer.from_callback(self._call, algorithm, owner.chain.decode(), tsa)

    def _call(self, data: bytes) -> bytes:
        owner = self._owner
        assert owner.callback is not None
        try:
            raw = raw_signature(bytes(owner.callback(data)), owner.algorithm)
            if not signed_by(owner.certificates, owner.algorithm, data, raw):
                raise MarkError("what the signing callback gave is no signature by the key of the certificate")
        except BaseException as error:  # noqa: BLE001 - kept and raised by the caller: no exception passes native code
            self.failed = error
            return b""
        return raw


@contextlib.contextmanager
def _native(lib: Any, signer: Signer, tsa: str | None) -> Iterator[_Native]:
    try:
        made = _Native(lib, signer, tsa)
    except lib.C2paError as error:
        raise MarkError(f"the C2PA library does not take this certificate and key ({error_kind(error)})") from None
    with made.signer:
        yield made


def _raise_of_callback(error: BaseException) -> None:
    if isinstance(error, MarkError) or not isinstance(error, Exception):
        raise error
    # Its text may hold what a key service answered.
    raise MarkError(f"the signing callback failed ({type(error).__name__}); call it by hand to see why") from None


def _require_as_written(signed: bytes, form: str, manifest: dict[str, Any], signer: Signer, opened: bool) -> None:
    try:
        store = read_store(signed, form)
    except ValueError as error:
        raise MarkError(f"the Content Credentials cannot be read back ({error})") from None
    if store is None:
        raise MarkError("the Content Credentials did not get into the file")
    if store.get("validation_state") not in ("Valid", "Trusted"):
        raise MarkError(f"the Content Credentials do not validate ({', '.join(failures(store)) or 'no cause given'})")
    try:
        held = _held(store, manifest, signer, int(opened))
    except (KeyError, TypeError, AttributeError):
        raise MarkError("the Content Credentials cannot be read back (parts of the report are missing)") from None
    if opened:
        held["redaction"] = _thumbnails(signed, form) == []
    if wrong := [name for name, right in held.items() if not right]:
        raise MarkError(f"the Content Credentials do not read back as written ({', '.join(wrong)})")


def _held(store: dict[str, Any], manifest: dict[str, Any], signer: Signer, ingredients: int) -> dict[str, bool]:
    active = store["manifests"][store["active_manifest"]]
    success = {entry["code"] for entry in store["validation_results"]["activeManifest"]["success"]}
    return {
        "hash": bool(success & _BOUND),
        "signature": active["signature_info"].get("cert_serial_number") == str(signer.certificates.leaf.serial_number),
        "actions": _plain(manifest) == _plain(active),
        "soft binding": soft_bindings_of(manifest) == soft_bindings_of(active),
        "ingredient": len(active.get("ingredients", ())) == ingredients,
    }


def _plain(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions without their parameters: the library puts addresses in the place of names there."""
    return [{k: v for k, v in action.items() if k != "parameters"} for action in actions_of(manifest)]


def _format(content: bytes, form: str) -> str:
    name = _NAMES.get(form.lower().removeprefix("image/").lstrip("."))
    if name is None:
        raise MarkError(f"{form or 'no format'}: Content Credentials are written into png, jpeg, webp and avif")
    if sniff(content[:16]) != name:
        raise MarkError(f"the content to sign is no {name} file")
    return name


def _carries(content: bytes, form: str) -> bool:
    try:
        return read_store(content, form) is not None
    except ValueError:
        # Of such credentials nothing can be kept.
        return False


def _thumbnails(content: bytes, form: str) -> list[str] | None:
    """Addresses of all thumbnails in the manifests of an input; ``None`` where they cannot be read."""
    lib = library()
    try:
        with lib.Reader(FORMATS[form], io.BytesIO(content), context=context(lib)) as reader:
            manifests = json.loads(reader.detailed_json())["manifests"]
        return sorted(
            f"self#jumbf=/c2pa/{name}/c2pa.assertions/{label}"
            for name, manifest in manifests.items()
            for label in manifest["assertion_store"]
            if label.startswith(_THUMBNAIL)
        )
    except lib.C2paError.ManifestNotFound:
        return []
    except (lib.C2paError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        # Somebody else's file, with manifests of any shape. The library keeps none that it cannot read.
        return None


@lru_cache(maxsize=1)
def _pixel() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue()
