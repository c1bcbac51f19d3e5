"""Who a face is: protection matches loosely, consent strictly and with a margin, and protection wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.image.backends.base import MatchScale
from guardrail.checks.image.backends.dlib_embedding import DlibEmbedding
from guardrail.errors import GalleryError
from guardrail.gallery import GalleryIndex, IdentityMatch

# Exact in binary, so that "exactly at the threshold" is what it says.
SCALE = MatchScale(same=0.625, consent=0.5, margin=0.0625, far=1.0)
Entry = tuple[Literal["protected", "consented"], list[float], set[str]]


def protected(*distances: float) -> Entry:
    return ("protected", list(distances), set())


def consented(*distances: float, purposes: set[str] | None = None) -> Entry:
    return ("consented", list(distances), purposes or set())


def index(*entries: Entry) -> GalleryIndex:
    """Each picture of each entry on an axis of its own, as far from the origin as the entry says."""
    distances = [(owner, d) for owner, (_, far, _) in enumerate(entries) for d in far]
    vectors = np.diag(np.array([d for _, d in distances], np.float32))
    owners = np.array([owner for owner, _ in distances], np.intp)
    return GalleryIndex(vectors, owners, [(f"{i:016x}", kind, frozenset(p)) for i, (kind, _, p) in enumerate(entries)])


def match(*entries: Entry, purpose: str = "", scale: MatchScale = SCALE) -> IdentityMatch:
    gallery = index(*entries)
    return gallery.match(np.zeros(gallery.vectors.shape[1], np.float32), scale, purpose)


PROTECTED, CONSENTED, NONE = "protected", "consented", "none"
TABLE: list[tuple[list[Entry], str, str, str, str]] = [
    # entries, purpose of the request → list, consent, identity
    ([protected(0.25)], "", PROTECTED, "no", "0"),
    ([protected(0.625)], "", PROTECTED, "no", "0"),
    ([protected(0.6251)], "", NONE, "unknown", ""),
    ([protected(0.25)], "studio", PROTECTED, "no", "0"),
    # Consent is stricter: between the two thresholds the person is found, and nothing is admitted.
    ([consented(0.0)], "", CONSENTED, "yes", "0"),
    ([consented(0.5)], "", CONSENTED, "yes", "0"),
    ([consented(0.5001)], "", CONSENTED, "unknown", "0"),
    ([consented(0.625)], "", CONSENTED, "unknown", "0"),
    ([consented(0.6251)], "", NONE, "unknown", ""),
    # It needs a margin over the next identity, whichever list that is on.
    ([consented(0.25), consented(0.3125)], "", CONSENTED, "yes", "0"),
    ([consented(0.25), consented(0.3124)], "", CONSENTED, "unknown", "0"),
    ([consented(0.3124), consented(0.25)], "", CONSENTED, "unknown", "1"),
    ([consented(0.25), consented(0.25)], "", CONSENTED, "unknown", "0"),
    ([consented(0.5), consented(0.9), consented(0.55)], "", CONSENTED, "unknown", "0"),
    ([consented(0.5), protected(0.626)], "", CONSENTED, "yes", "0"),
    # Another picture of the same person is no other identity; the nearest picture counts.
    ([consented(0.25, 0.26)], "", CONSENTED, "yes", "0"),
    ([consented(0.9, 0.25, 0.8), consented(0.4)], "", CONSENTED, "yes", "0"),
    # Protection wins, however much nearer the consent is, and wherever it stands.
    ([consented(0.0), protected(0.625)], "", PROTECTED, "no", "1"),
    ([protected(0.625), consented(0.0)], "", PROTECTED, "no", "0"),
    ([protected(0.6), consented(0.0), protected(0.5)], "", PROTECTED, "no", "2"),
    ([consented(0.25), protected(0.25)], "", PROTECTED, "no", "1"),
    # A consent covers its purposes; none means any.
    ([consented(0.25, purposes={"studio"})], "studio", CONSENTED, "yes", "0"),
    ([consented(0.25, purposes={"studio", "advert"})], "advert", CONSENTED, "yes", "0"),
    ([consented(0.25, purposes={"studio"})], "advert", CONSENTED, "no", "0"),
    ([consented(0.25, purposes={"studio"})], "", CONSENTED, "no", "0"),
    ([consented(0.25, purposes={"studio"})], "Studio", CONSENTED, "no", "0"),
    ([consented(0.25, purposes={"studio"})], "stud", CONSENTED, "no", "0"),
    ([consented(0.25)], "anything", CONSENTED, "yes", "0"),
    # A doubtful match with a purpose that is not covered says nothing either.
    ([consented(0.6, purposes={"studio"})], "advert", CONSENTED, "unknown", "0"),
    ([], "", NONE, "unknown", ""),
]


@pytest.mark.parametrize(("entries", "purpose", "gallery", "consent", "identity"), TABLE)
def test_whose_face_it_is(entries: list[Entry], purpose: str, gallery: str, consent: str, identity: str) -> None:
    found = match(*entries, purpose=purpose)
    assert (found.gallery, found.consent, found.identity) == (gallery, consent, identity and identity.zfill(16))


def test_the_next_identity_may_be_one_to_protect() -> None:
    # Of an embedder whose thresholds lie closer together than its margin.
    close = MatchScale(same=0.53125, consent=0.5, margin=0.0625, far=1.0)
    assert match(consented(0.5), protected(0.5625), scale=close).consent == "yes"
    assert match(consented(0.5), protected(0.55), scale=close).consent == "unknown"


@pytest.mark.parametrize(
    ("entries", "score"),
    [
        ([], 0.0),
        ([protected(0.0)], 1.0),
        ([protected(0.3125)], 0.75),
        ([protected(0.625)], 0.5),
        ([protected(0.8125)], 0.25),
        ([protected(1.0)], 0.0),
        ([protected(3.0)], 0.0),
        # The score is that of the identity in the answer, not of the nearest one.
        ([protected(0.625), consented(0.0)], 0.5),
        ([consented(0.8125), protected(3.0)], 0.25),
    ],
)
def test_the_score_says_how_near(entries: list[Entry], score: float) -> None:
    assert match(*entries).match == pytest.approx(score, abs=1e-6)


# In steps of 1/128, so that the thresholds are met exactly and often.
distances = st.integers(0, 160).map(lambda n: n / 128)
entries = st.lists(
    st.tuples(
        st.sampled_from(["protected", "consented"]),
        st.lists(distances, min_size=1, max_size=3),
        st.sets(st.sampled_from(["studio", "advert"])),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(entries, st.sampled_from(["", "studio", "other"]))
def test_who_is_admitted_is_near_alone_and_asked(given_: Any, purpose: str) -> None:
    if match(*given_, purpose=purpose).consent != "yes":
        return
    nearest = sorted((min(far), kind, purposes) for kind, far, purposes in given_)
    distance, kind, purposes = nearest[0]
    assert kind == "consented"
    assert distance <= SCALE.consent
    assert all(other >= distance + SCALE.margin for other, _, _ in nearest[1:])
    assert all(other > SCALE.same for other, kind, _ in nearest if kind == "protected")
    assert not purposes or purpose in purposes


@settings(deadline=None)
@given(entries, distances, st.integers(0, 6))
def test_enrolling_somebody_to_protect_never_admits_anybody(given_: Any, distance: float, place: int) -> None:
    more = [*given_[:place], protected(distance), *given_[place:]]
    before, after = match(*given_), match(*more)
    assert after.consent != "yes" or before.consent == "yes"
    assert (after.gallery == "protected") == (before.gallery == "protected" or distance <= SCALE.same)


# Of an embedder whose thresholds shrink: 0.64 for a pair, 0.532 from 70 protected people on.
MANY = [protected(5.0 + n) for n in range(69)]


@pytest.mark.parametrize(
    ("entries", "consent"),
    [
        ([consented(0.48), protected(0.54)], "unknown"),
        ([consented(0.45), protected(0.549)], "unknown"),
        ([consented(0.45, purposes={"studio"}), protected(0.549)], "unknown"),
        ([consented(0.45), protected(0.551)], "yes"),
        ([consented(0.3), protected(0.6)], "yes"),
        # Beyond the threshold of a pair nobody is a rival, however near the consent is to its own limit.
        ([consented(0.531), protected(0.63)], "unknown"),
        ([consented(0.531), protected(0.641)], "yes"),
        ([consented(0.54), protected(0.641)], "unknown"),
    ],
)
def test_a_consent_is_withheld_where_somebody_protected_is_hardly_farther_away(
    entries: list[Entry], consent: str
) -> None:
    found = match(*entries, *MANY, scale=DlibEmbedding.scale)
    assert (found.gallery, found.consent, found.identity) == (CONSENTED, consent, "0" * 16)


@settings(deadline=None)
@given(entries, st.sampled_from([0, 9, 69]))
def test_whoever_is_admitted_is_two_margins_nearer_than_anybody_protected(given_: Any, others: int) -> None:
    scale = DlibEmbedding.scale
    if match(*given_, *MANY[:others], scale=scale).consent != "yes":
        return
    nearest = min(min(far) for kind, far, _ in given_ if kind == "consented")
    rivals = [min(far) for kind, far, _ in given_ if kind == "protected"]
    assert all(far > min(scale.same, nearest + 2 * scale.margin - 1e-6) for far in rivals)


def test_somebody_protected_is_looked_for_farther_away_than_sketches_were_asked_for() -> None:
    class First:
        def near(self, probe: Any, reach: float) -> Any:
            return np.zeros(1, np.int64)

        def nearest(self, probe: Any, reach: float) -> Any:
            return np.arange(2) if reach == pytest.approx(0.6) else np.zeros(1, np.int64)

        def squares(self, vectors: Any, rows: Any, probe: Any) -> Any:
            return np.linalg.norm(vectors[rows] - probe, axis=1) ** 2

    for distance, consent in ((0.599, "unknown"), (0.601, "yes")):
        gallery = replace(index(consented(0.5), protected(distance), *MANY), finder=First())  # type: ignore[arg-type]
        assert gallery.match(np.zeros(71, np.float32), DlibEmbedding.scale).consent == consent


def test_everybody_within_a_distance_is_named_nearest_first() -> None:
    gallery = index(consented(0.5), protected(0.25, 0.125), consented(0.75), protected(0.7))
    found = gallery.within(np.zeros(5, np.float32), 0.7)
    assert [(n.identity[-1], n.list) for n in found] == [("1", PROTECTED), ("0", CONSENTED), ("3", PROTECTED)]
    assert index().within(np.zeros(3, np.float32), 0.7) == []
    with pytest.raises(GalleryError, match="not finite"):
        gallery.within(np.full(5, np.nan, np.float32), 0.7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("enrolled", [[], [protected(0.1, 0.2)], [consented(0.1, 0.2)]], ids=["nobody", "one", "other"])
def test_a_vector_that_is_not_finite_is_an_error(bad: float, enrolled: list[Entry]) -> None:
    # Each comparison with NaN is false, and "no match" would pass.
    with pytest.raises(GalleryError, match="not finite"):
        index(*enrolled).match(np.array([0.1, bad], np.float32), SCALE)


@pytest.mark.parametrize("shape", [(1,), (3,), (0,), (), (1, 2), (2, 2)])
def test_a_vector_of_another_embedder_is_an_error(shape: tuple[int, ...]) -> None:
    # One number, or one row, would be compared with every enrolled number without a word.
    with pytest.raises(GalleryError, match="another length"):
        index(protected(0.1, 0.2)).match(np.zeros(shape, np.float32), SCALE)


def test_who_is_near_is_named_nearest_first() -> None:
    gallery = index(consented(0.5), protected(0.25, 0.125), consented(0.75), protected(0.625))
    near = gallery.near(np.zeros(gallery.vectors.shape[1], np.float32), SCALE)
    assert [(n.identity[-1], n.list, n.distance) for n in near] == [
        ("1", PROTECTED, 0.125),
        ("0", CONSENTED, 0.5),
        ("3", PROTECTED, 0.625),
    ]
    assert index().near(np.zeros(3, np.float32), SCALE) == []
    with pytest.raises(GalleryError, match="not finite"):
        gallery.near(np.full(5, np.nan, np.float32), SCALE)


@pytest.mark.parametrize(
    ("entries", "first"),
    [
        ([], ""),
        ([protected(0.25)], "0"),
        ([consented(0.5), protected(0.25)], "1"),
        # However far away, and whichever of the pictures it is.
        ([consented(50.0, 40.0), protected(45.0)], "0"),
    ],
)
def test_who_comes_first_however_far_away(entries: list[Entry], first: str) -> None:
    gallery = index(*entries)
    assert gallery.nearest(np.zeros(gallery.vectors.shape[1], np.float32))[-1:] == first


def test_who_comes_first_is_known_where_sketches_let_nobody_through() -> None:
    class Nobody:
        def near(self, probe: Any, reach: float) -> Any:
            return np.zeros(0, np.int64)

    gallery = replace(index(consented(5.0), protected(4.0)), finder=Nobody())  # type: ignore[arg-type]
    assert gallery.nearest(np.zeros(2, np.float32))[-1:] == "1"


@pytest.mark.parametrize("length", [1.0, 30.0, 3000.0])
def test_the_estimate_before_the_comparison_leaves_nobody_out(length: float) -> None:
    """The answers of the fast way are those of comparing each row, whatever the length of the vectors."""
    rng = np.random.default_rng(3)
    scale = MatchScale(same=0.625 * length, consent=0.5 * length, margin=0.0625 * length, far=length)
    vectors = (rng.normal(size=(300, 24)) * 0.15 * length).astype(np.float32)
    entries = [(f"{n:016x}", ("protected", "consented")[n % 2], frozenset[str]()) for n in range(100)]
    gallery = GalleryIndex(vectors, np.arange(300) // 3, entries)  # type: ignore[arg-type]
    kinds = set()
    for probe in vectors[:100] + (rng.normal(size=(100, 24)) * 0.13 * length).astype(np.float32):
        found = gallery.match(probe, scale)
        each = np.linalg.norm(vectors - probe, axis=1).reshape(100, 3).min(1)
        if each[::2].min() <= scale.same:
            expected = (PROTECTED, int(each[::2].argmin()) * 2)
        elif each[1::2].min() <= scale.same and each.argmin() % 2:
            expected = (CONSENTED, int(each.argmin()))
        else:
            expected = (NONE, None)
        assert (found.gallery, int(found.identity, 16) if found.identity else None) == expected
        kinds.add(found.gallery)
    assert kinds == {PROTECTED, CONSENTED, NONE}
