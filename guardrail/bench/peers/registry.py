"""Which peers there are for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from guardrail.bench.files import DataError
from guardrail.bench.peers import engines, hub, own, pictures, words
from guardrail.bench.peers.base import Kind, Peer
from guardrail.bench.peers.encoder import own_encoder
from guardrail.bench.peers.learned import Training, tfidf
from guardrail.bench.peers.plan import PeerPlan

__all__ = ["REFERENCES", "chosen", "known"]

REFERENCES: Mapping[Kind, str] = {"text": own.GUARDRAIL, "image": own.GUARDRAIL, "engine": engines.BUILTIN}
"""Whom the others are compared with; it always runs."""


def known(plan: PeerPlan, training: Callable[[], Training] | None = None) -> list[Peer]:
    """All peers of a kind, the reference first.

    Args:
        training: reads what trained peers learn from, once; None where nothing was given.

    Raises:
        DataError: two have the same name.
    """
    given = {model.name for model in plan.hub}
    if plan.kind == "text":
        made = [
            own.prompts(plan.policy),
            words.own_lists(),
            words.better_profanity(),
            words.pickled(),
            *(words.word_list(name, path) for name, path in plan.word_lists),
            tfidf(training, plan.seed),
            own_encoder(training, plan.seed),
            *(hub.text_model(model, training, plan.seed) for model in plan.hub),
            *hub.absent("text", given),
        ]
    elif plan.kind == "image":
        made = [own.pictures(), pictures.nudenet(), pictures.skin(), *map(hub.image_model, plan.hub)]
        made += hub.absent("image", given)
    else:
        made = engines.engines()
    names = [peer.name for peer in made]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two peers are called {name!r}: give yours another name")
    return made


def chosen(plan: PeerPlan, peers: list[Peer]) -> tuple[list[Peer], dict[str, str]]:
    """(those to run, the others → why not).

    Raises:
        DataError: a peer that was named does not exist.
    """
    names = [peer.name for peer in peers]
    unknown = sorted({*plan.only, *plan.also} - set(names))
    if unknown:
        raise DataError(f"there is no peer {unknown[0]!r} of this kind, but: {', '.join(names)}")
    why = partial(_why_not, plan)
    return [p for p in peers if not why(p)], {p.name: why(p) for p in peers if why(p)}


def _why_not(plan: PeerPlan, peer: Peer) -> str:
    if peer.name == REFERENCES[plan.kind]:
        return ""
    if not plan.wants(peer.name, asked=peer.asked):
        if peer.asked and not plan.only:
            return f"not asked for (licence: {peer.licence}): --also {peer.name}"
        return "not asked for"
    return peer.lacking
