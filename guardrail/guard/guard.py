"""The public guard: checks, decides, alters, marks and records, with or without a pipeline."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrail.actions.wording import Task, Writer, as_writer
from guardrail.audit import AuditLog
from guardrail.checks.base import CheckSettings, NudityModel, PromptModel, RealnessModel
from guardrail.decision import Decision, EffectiveCheck, PolicyRef
from guardrail.errors import GuardrailError, InputError, MarkError
from guardrail.guard import build
from guardrail.guard.item import Item
from guardrail.guard.parts import Assembly, load, warm
from guardrail.guard.records import Recorder
from guardrail.guard.session import Parts, Session
from guardrail.keys import Keyring, load_keyring
from guardrail.marks.marker import Marker
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack
from guardrail.media import Context, ImageInput, Limits, Request, Role, TextInput
from guardrail.media.read import read_image
from guardrail.policy import Policy, PolicyEngine
from guardrail.policy.reload import Keeper
from guardrail.policy.watching import seconds_between
from guardrail.signals import Stage

if TYPE_CHECKING:
    from guardrail.marks.guarded_image import GuardedImage

__all__ = ["Guard"]

_context: ContextVar[Context | None] = ContextVar("guardrail_context", default=None)
_NO_CONTEXT = Context()


class Guard:
    """Checks prompts and images by a policy.

    Args:
        policy: name of a shipped policy; path of a rule file, of a policy in CEL (``.cel.yaml``) or Rego (``.rego``);
            ``engine:source`` such as ``opa:http://…``; a loaded policy; or another engine.
        names: people to protect besides public figures: a list, a text file with one name a line, or a file made by
            `guardrail names build`.
        gallery: ``"auto"`` (in the data folder), a path, a gallery object, or ``None``.
        known: lists of known images: ``"auto"`` (in the data folder), the path of another folder, a `KnownImages` such
            as `guardrail.known.WithServices`, or ``None``.
        audit: ``"auto"`` (in the data folder), a path, a log, or ``None`` for no record.
        face_backend: ``auto``, ``embedded``, ``yunet``, ``opencv`` or ``insightface``.
        insightface_pack: absolute path of a local pack folder, pinned by ``guardrail models pin``; its licence is the
            user's to hold.
        keyring: secrets; by default those of this installation.
        limits: what is too much to look at.
        threads: per model session.
        on_report: called with (queue, decision) for each report that a rule asks for.
        reload: True, or seconds between two looks: when the rule file, a file that it extends or the tests beside it
            change, `reload` is called by a thread of the guard's own, until `close`.
        rewriter: rewrites prompts where a rule asks for it, instead of the rules of `guardrail.actions.wording`: a
            callable, or the folder of a local transformers text-generation model. Its text is checked again.
        prompt_models: heavier checks of prompts by models of the user's own (see docs/heavier-checks.md): what
            `guardrail.checks.text.heavy` offers, or a file that lists them; by default the file that
            ``$GUARDRAIL_PROMPT_MODELS`` names, if it is set.
        nudity_models: second opinions on nudity by models of the user's own: what `guardrail.checks.image.nudity.hub`
            offers, or a file that lists them; by default the file that ``$GUARDRAIL_NUDITY_MODELS`` names, if any.
        realness_model: tells depictions from photographs where the cues are not sure: a
            `guardrail.checks.image.realness_clip.ClipZeroShot` of a local folder (see docs/realness.md), or ``None``.
        marking: how outputs are marked: the provider's name, the strength of the watermark, who signs, the registry.
        releases: False for a guard that only judges: nothing is marked, no pipeline goes under it, and a policy that
            asks for signed files needs no signer.

    Raises:
        ConfigurationError: whatever can be known now is refused now: a rule file that does not load (PolicyError), a
            signal that no installed check gives (SignalUnavailable), a model file that is missing or wrong, no key.
    """

    def __init__(
        self,
        policy: str | Path | Policy | PolicyEngine = "default",
        *,
        names: Sequence[str] | str | Path = (),
        gallery: Any = "auto",
        known: Any = "auto",
        audit: str | Path | AuditLog | None = "auto",
        face_backend: str = "auto",
        insightface_pack: str | Path = "",
        keyring: Keyring | None = None,
        limits: Limits | None = None,
        threads: int = 1,
        on_report: Callable[[str, Decision], Any] | None = None,
        reload: bool | float = False,
        rewriter: Callable[[Task], str] | Writer | str | Path | None = None,
        prompt_models: Sequence[PromptModel] | str | Path | None = None,
        nudity_models: Sequence[NudityModel] | str | Path | None = None,
        realness_model: RealnessModel | None = None,
        marking: Marking | None = None,
        releases: bool = True,
    ) -> None:
        self._options = {
            "policy": policy,
            "names": names,
            "gallery": gallery,
            "known": known,
            "audit": audit,
            "face_backend": face_backend,
            "insightface_pack": insightface_pack,
            "keyring": keyring,
            "limits": limits,
            "threads": threads,
            "on_report": on_report,
            "reload": reload,
            "rewriter": rewriter,
            "prompt_models": prompt_models,
            "nudity_models": nudity_models,
            "realness_model": realness_model,
            "marking": marking,
            "releases": releases,
        }
        self._keeper: Keeper[Parts] = Keeper(policy, load, every_s=seconds_between(reload))
        self.keyring = keyring or load_keyring()
        self.gallery = build.open_gallery(gallery, self.keyring)
        self.known = build.open_known(known, self.keyring)
        settings = CheckSettings(
            names=build.load_names(names),
            name_files=build.name_files(names),
            face_backend=face_backend,
            insightface_pack=str(insightface_pack),
            gallery=self.gallery,
            known=self.known,
            threads=threads,
            prompt_models=build.prompt_models(prompt_models),
            nudity_models=build.nudity_models(nudity_models),
            realness_model=build.realness_model(realness_model),
        )
        self.audit = build.open_audit(audit, self.keyring)
        how = marking or Marking()
        self.marks = MarkStack(self.keyring, psnr_db=how.psnr_db)
        self.marker = Marker(self.marks, how)
        recorder = Recorder(self.audit, on_report)
        writer = as_writer(rewriter) if rewriter is not None else None
        self.releases = releases
        assembly = Assembly(
            settings, recorder, self.keyring, self.marks, limits or Limits(), writer, self.marker, releases
        )
        self._keeper.begin(assembly.parts, warm)

    # ---- what it is made of

    @property
    def _parts(self) -> Parts:
        return self._keeper.current()

    @property
    def policy(self) -> PolicyRef:
        """Id, version and sha256 of the rules."""
        return self._parts.engine.ref

    @property
    def limits(self) -> Limits:
        return self._parts.limits

    def effective(self) -> tuple[EffectiveCheck, ...]:
        """The checks in force, with the weights they run on."""
        return tuple(c.effective() for c in self._parts.judge.runner.checks)

    def warmup(self) -> None:
        """Load everything that loads lazily, so that the first request is not slower than the second."""
        self._parts.judge.runner.warmup()
        self.marks.warmup()

    def reload(self, policy: str | Path | Policy | PolicyEngine | None = None) -> PolicyRef:
        """Put the policy in force as its files are now, or another one. Calls that have begun keep the old one.

        The new policy is loaded and linted, its tests (those on signals) are run, its checks are made and warmed up;
        only then it takes the place of the old one, whole. A call is judged by one policy from its first stage to its
        last. `check_output(after=…)` is a call of its own: what the new policy needs to know of the earlier stages and
        the old one did not measure is missing, and blocks.

        Raises:
            GuardrailError: it was refused and the old one stays in force; also in the log and in `reload_error`.
        """
        return self._keeper.reload(policy)

    @property
    def reload_error(self) -> GuardrailError | None:
        """Why the last reload was refused; None when it was not. Worth an alarm: the rules in force are old ones."""
        return self._keeper.error

    def close(self) -> None:
        """Stop watching the policy, and close the audit log."""
        self._keeper.stop()
        if self.audit is not None:
            self.audit.close()

    def __reduce__(self) -> Any:
        if self.marker.marking.signer is not None:
            raise TypeError(
                "a guard that signs is not pickled: the key of its signer would go along; make the guard where it is "
                "used, with marking=Marking(signer=Signer.from_files(...)) there"
            )
        # Models and connections are not carried along: the other process makes its own from the same options.
        return _rebuild, ({**self._options, "policy": self._keeper.source},)

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def session(self) -> Session:
        """A call of its own through the stages (for integrations such as `guardrail.pipelines`)."""
        return Session(self._parts)

    # ---- who asks, and what for

    @contextlib.contextmanager
    def context(self, *, purpose: str = "", user: str = "", locale: str = "en", tenant: str = "") -> Iterator[Context]:
        """Say for what and for whom the calls inside the block are. Follows threads and tasks like any contextvar."""
        token = _context.set(Context(purpose, user, locale, tenant))
        try:
            yield _context.get() or _NO_CONTEXT
        finally:
            _context.reset(token)

    @staticmethod
    def current_context() -> Context:
        """The context of the calling thread or task."""
        return _context.get() or _NO_CONTEXT

    # ---- checks without a pipeline

    def check_prompt(self, prompt: str, *, negative_prompt: str | None = None) -> Decision:
        """Judge a prompt. An altered prompt is in the decision's alterations, in memory only."""
        return self.check_request(prompt=prompt, negative_prompt=negative_prompt)

    def check_image(self, image: Any) -> Decision:
        """Judge a reference image: a path, bytes, a PIL image, an array or a tensor."""
        return self.check_request(images=[image])

    def check_request(
        self,
        *,
        prompt: str | None = None,
        images: Sequence[Any] = (),
        negative_prompt: str | None = None,
        masks: Sequence[Any] = (),
    ) -> Decision:
        """Judge a prompt and reference images together. Unreadable input is a block that names the cause.

        Args:
            masks: of an edit: white is what may be repainted. They lie over the whole of `images`, whatever their size.

        Raises:
            UnsupportedInput: the prompt is no text, or an image is of a type that nothing here understands.
        """
        texts = [TextInput(prompt)] if prompt is not None else []
        texts += [TextInput(negative_prompt, "negative_prompt", negative=True)] if negative_prompt is not None else []
        session = self.session()
        pictures: list[ImageInput] = []
        faults: list[tuple[InputError, str]] = []
        given = [("image", i, Role.REFERENCE, image) for i, image in enumerate(images)]
        given += [("mask_image", i, Role.MASK, mask) for i, mask in enumerate(masks)]
        for argument, index, role, image in given:
            try:
                pictures.append(read_image(image, argument=argument, index=index, role=role, limits=self.limits))
            except InputError as error:
                several = len(images if role is Role.REFERENCE else masks) > 1
                faults.append((error, f"number {index + 1}" if several else ""))
        session.open([Request(tuple(texts), tuple(pictures), context=self.current_context())])
        (item,) = session.items
        if not item.blocked:
            for fault, which in faults:
                session.refuse(item, fault, Stage.REFERENCE, which)
        session.judge_inputs()
        return self._close(session, item)

    def check_output(self, image: Any, after: Decision | None = None) -> Decision:
        """Judge a generated image. `after` is the decision on the request it was made from; its signals count too.

        A covered image is in the decision's alterations, in memory only: ``decision.alterations[-1].pixels``, (H, W, 3
        or 4) uint8 for each frame. It is what to `mark` and release then, not the image that came in; several frames
        as one array (``numpy.stack``).

        The decision's ``pixels_sha256`` is over shape, type and values of all frames as `read_image` gives them, 8 bits
        a channel: of the covered image where it was covered, otherwise of the one that came in. It is empty where the
        image could not be read, or was blocked before anybody looked at it.
        """
        return self._after(image, after, Stage.OUTPUT)

    def check_preview(self, image: Any, after: Decision | None = None) -> Decision:
        """Judge a preview that was made while denoising, before it is shown."""
        return self._after(image, after, Stage.STEP)

    def _after(self, image: Any, after: Decision | None, stage: Stage) -> Decision:
        session = self.session()
        session.open([Request(context=self.current_context())])
        (item,) = session.items
        if after is not None:
            item.signals.update(after.signals)
            item.before = frozenset(after.due)
            if after.blocked:
                item.reasons += after.reasons
                item.action = after.action
        role = Role.OUTPUT if stage is Stage.OUTPUT else Role.PREVIEW
        try:
            picture = read_image(image, role=role, limits=self.limits)
        except InputError as error:
            session.refuse(item, error, stage)
        if item.blocked:
            return self._close(session, item)
        if stage is Stage.STEP:
            return self._close(session, session.judge_preview(item, picture))
        out = session.judge_output(item, picture, 0)
        return self._close(session, out.item, _sha256(out.image or picture))

    def _close(self, session: Session, item: Item, sha256: str = "") -> Decision:
        ((decision,), _) = session.close([(item, "", sha256)])
        decision.marker = self.marker
        return decision

    # ---- the same for asyncio: checks run in a thread, the context goes along

    async def acheck_prompt(self, prompt: str, *, negative_prompt: str | None = None) -> Decision:
        return await asyncio.to_thread(self.check_prompt, prompt, negative_prompt=negative_prompt)

    async def acheck_image(self, image: Any) -> Decision:
        return await asyncio.to_thread(self.check_image, image)

    async def acheck_request(
        self,
        *,
        prompt: str | None = None,
        images: Sequence[Any] = (),
        negative_prompt: str | None = None,
        masks: Sequence[Any] = (),
    ) -> Decision:
        return await asyncio.to_thread(
            self.check_request, prompt=prompt, images=images, negative_prompt=negative_prompt, masks=masks
        )

    async def acheck_output(self, image: Any, after: Decision | None = None) -> Decision:
        return await asyncio.to_thread(self.check_output, image, after)

    # ---- marks

    def mark(self, image: Any, *, after: Decision, system: str = "guardrail") -> GuardedImage:
        """Watermark and label an image that was allowed, and read the mark back. Transparency is kept.

        Of several frames the first is marked. Marked twice after one decision, it is the same picture twice: without a
        registry both have one mark id; with one, each has its own, and all entries name the decision. A decision has
        four ids: a fifth picture needs a new one.

        Args:
            image: the one that `check_output` was given or, where it covered something, what it made of it.
            after: the decision of `check_output`; its id leads from the registry to the record.
            system: name of the generator, for the metadata.

        Raises:
            InputError: the image cannot be read.
            MarkError: the decision is a block or not one on an output, the image is not the one that it was made on, a
                visible label cannot be drawn, or the mark cannot be read back.
            RegistryError: the output cannot be registered.
        """
        if not self.releases:
            raise MarkError("this guard only judges (releases=False): mark with the guard that releases the picture")
        if after.blocked:
            raise MarkError(f"the decision {after.id} is a block: there is nothing to mark")
        self.marker.require_signer(after)
        if after.stage is not Stage.OUTPUT:
            raise MarkError(
                f"the decision {after.id} is not on an output (stage {after.stage.value}): judge the image with "
                "check_output, and give its decision"
            )
        from PIL.Image import fromarray

        from guardrail.marks.guarded_image import guarded

        picture = read_image(image, role=Role.OUTPUT, limits=self.limits)
        if after.pixels_sha256 and _sha256(picture) != after.pixels_sha256:
            covered = any(a.pixels is not None for a in after.alterations)
            wanted = "the covered one, decision.alterations[-1].pixels" if covered else "that one as it was"
            raise MarkError(
                f"the decision {after.id} was made on another image: give {wanted}, or judge this one with check_output"
            )
        marked, mark_id = self.marker.mark(picture.frames[0], after, system=system, sha256=after.pixels_sha256)
        label = self.marker.label(after, mark_id, system=system)
        return guarded(fromarray(marked), label, marker=self.marker)


def _sha256(picture: ImageInput) -> str:
    """Over shape, type and values of all frames, as `guardrail.pipelines` hashes what pipelines make."""
    digest = hashlib.sha256()
    for frame in picture.frames:
        digest.update(f"{frame.shape} {frame.dtype}".encode())
        digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


def _rebuild(options: dict[str, Any]) -> Guard:
    return Guard(**options)
