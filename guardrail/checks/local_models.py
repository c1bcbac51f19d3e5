"""Finding a model on this machine and loading it: safetensors only, no network, no code of the folder's own."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from guardrail.errors import ConfigurationError, MissingExtra
from guardrail.weights.store import sha256_of

__all__ = [
    "LOCAL",
    "Found",
    "find",
    "folder_of",
    "load_model",
    "load_once",
    "load_tokenizer",
    "quietly",
    "require_packages",
]

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

T = TypeVar("T")

_loaded: WeakValueDictionary[Any, Any] = WeakValueDictionary()
_loading = threading.Lock()


@dataclass(frozen=True)
class Found:
    """A model folder with its weights.

    Args:
        name: as people know it: the hub's id, or the last part of the folder.
        weights: file name → sha256.
        stamps: size, time and inode of each file when it was hashed.
    """

    name: str
    folder: Path
    weights: dict[str, str]
    stamps: tuple[tuple[int, int, int], ...]

    def require_unchanged(self) -> None:
        """Raises ConfigurationError where a file is not the one that was hashed."""
        if _stamps(self.folder, self.weights) != self.stamps:
            raise ConfigurationError(f"the files of the model {self.name} changed while it was loaded")


def require_packages(what: str) -> None:
    """Raises MissingExtra where torch or transformers is not installed."""
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError:
        raise MissingExtra(what, "diffusers") from None


def find(model: str | Path, what: str) -> Found:
    """The folder of a model, its weights hashed.

    Args:
        model: a folder, or a hub id (looked up in the cache only).
        what: for messages.

    Raises:
        ConfigurationError: it is not there, has no configuration, no safetensors weights, or is an adapter.
    """
    folder, name = _named_folder(model, what)
    if not (folder / "config.json").is_file():
        raise ConfigurationError(f"{what} {folder} has no config.json")
    if (folder / "adapter_config.json").is_file():
        # transformers would load the base model that the adapter names, from wherever that is.
        raise ConfigurationError(f"{what} {folder} is an adapter: merge it into its base model first")
    files = sorted(p.name for p in folder.glob("*.safetensors"))
    if not files:
        raise ConfigurationError(
            f"{what} {folder} has no .safetensors file; pickles (.bin, .pt, .ckpt) are never loaded: convert it first"
        )
    stamps = _stamps(folder, files)
    return Found(name, folder, {file: sha256_of(folder / file) for file in files}, stamps)


def folder_of(model: str | Path, what: str) -> Path:
    """The folder that is named, or that the hub's cache has for an id.

    Raises:
        ConfigurationError: there is none.
    """
    return _named_folder(model, what)[0]


def _named_folder(model: str | Path, what: str) -> tuple[Path, str]:
    path = Path(model).expanduser()
    if path.is_dir():
        path = path.resolve()
        return path, path.name
    if isinstance(model, str) and _HUB_ID.fullmatch(model):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            return Path(snapshot_download(model, local_files_only=True)), model
        except (LocalEntryNotFoundError, HFValidationError, OSError):
            raise ConfigurationError(
                f"{what} {model} is neither a folder nor in the hub's cache; guardrail downloads no model: bring it "
                f"with `hf download {model}`, or name its folder"
            ) from None
    raise ConfigurationError(f"{what} {model} is not a folder")


def _stamps(folder: Path, files: Any) -> tuple[tuple[int, int, int], ...]:
    stats = [(folder / file).stat() for file in sorted(files)]
    return tuple((s.st_size, s.st_mtime_ns, s.st_ino) for s in stats)


def load_once(key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """What `make` gives, or what it gave before for the same key, as long as somebody uses it.

    A guard that reloads its policy makes its checks anew: the model, known by its hashes, is not loaded twice.
    """
    with _loading:
        known: T | None = _loaded.get(key)
        if known is None:
            known = _loaded[key] = make()
        return known


def load_tokenizer(folder: Path, what: str) -> Any:
    """The tokenizer of a folder.

    Raises:
        ConfigurationError: there is none, or none of the fast kind, whose offsets and windows are needed.
    """
    from transformers import AutoTokenizer

    if not any((folder / file).is_file() for file in _VOCABULARIES):
        # transformers would make one that knows no word, and a model that reads nothing finds nothing.
        raise ConfigurationError(f"{what} {folder} has no tokenizer (none of {', '.join(_VOCABULARIES)})")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **LOCAL)
    except Exception as error:
        raise ConfigurationError(f"{what} {folder}: its tokenizer does not load: {_why(error)}") from error
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigurationError(f"{what} {folder}: it needs a fast tokenizer (tokenizer.json)")
    return tokenizer


def load_model(factory: Any, folder: Path, what: str, device: str, **options: Any) -> Any:
    """A model in evaluation mode on `device`. Whole or not at all: a part that the files lack would be random.

    Raises:
        ConfigurationError: it does not load, lacks weights, or the device is not there.
    """
    try:
        with quietly():
            model, report = factory.from_pretrained(
                str(folder), use_safetensors=True, output_loading_info=True, **LOCAL, **options
            )
    except Exception as error:
        raise ConfigurationError(f"{what} {folder} does not load: {_why(error)}") from error
    lacking = sorted({*map(str, report["missing_keys"]), *(str(k) for k in report["mismatched_keys"])})
    if lacking:
        raise ConfigurationError(
            f"{what} {folder} has no weights for {', '.join(lacking[:3])}{' and others' if len(lacking) > 3 else ''}: "
            f"it is no model of the kind {type(model).__name__}"
        )
    try:
        return model.eval().requires_grad_(False).to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(f"{what} {folder} cannot run on {device!r}: {type(error).__name__}") from error


@contextmanager
def quietly() -> Iterator[None]:
    """Without progress bars, and with the caller's random numbers as they were: loading draws some."""
    import torch
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    # What is missing is an error with words of our own, not a warning in a table.
    logging.set_verbosity_error()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _why(error: Exception) -> str:
    """The first line of what a library said about a folder's own files: no content of a request is in it."""
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0][:200]}" if first else type(error).__name__
