"""Peers in one run: figures by hand, who failed, who did not run, and going on where a run was killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.files import DataError
from guardrail.bench.peers import own
from guardrail.bench.peers.base import FAILED, Answer, NotHere, Opened, Peer
from guardrail.bench.peers.plan import Hub, PeerPlan, hub_of, named_files
from guardrail.bench.peers.registry import chosen, known
from guardrail.bench.peers.run import peers_run
from guardrail.bench.run.fingerprint import list_facts, policy_facts
from guardrail.bench.run.measures import by_key
from guardrail.bench.run.samples import FILE
from guardrail.cli import main
from guardrail.errors import ConfigurationError
from guardrail.guard.parts import load
from tests.bench.scripted import rows_file, scripted, table_rows


def score_of(text: str) -> float:
    return float(text.rpartition("s=")[2])


def ours(text: str) -> Answer:
    """Blocks from 0.7 on and alters from 0.4 on, as the scripted policy does."""
    score = score_of(text)
    return Answer("block" if score >= 0.7 else "alter" if score >= 0.4 else "allow", score)


def theirs(text: str) -> Answer:
    """Has no score, blocks from 0.5 on, and breaks down at 0.1."""
    score = score_of(text)
    if score == 0.1:
        raise ValueError(f"cannot read {text}")
    return Answer("block" if score >= 0.5 else "allow")


def peer(name: str, judge: Callable[[str], Answer], **also: Any) -> Peer:
    return Peer(name, "text", lambda: Opened(judge), "1.0", **also)


def refuses() -> Opened:
    raise NotHere("its file is not there: name it")


def breaks() -> Opened:
    raise RuntimeError("secret")


GUARDRAIL = peer("guardrail", ours)
PEERS = (GUARDRAIL, peer("other", theirs, licence="MIT"))


@pytest.fixture
def plan(tmp_path: Path) -> PeerPlan:
    return PeerPlan("text", [rows_file(tmp_path / "rows.jsonl", table_rows())], command="guardrail bench peers")


def test_rates_of_every_peer_are_those_counted_by_hand(plan: PeerPlan) -> None:
    found = by_key(peers_run(plan, None, peers=PEERS).measures)

    def counted(key: str) -> tuple[int | None, int]:
        return found[key].count, found[key].n

    # To be blocked: 0.95, 0.80, 0.50, 0.20. Harmless: 0.75, 0.45, 0.30, 0.10, 0.00. One of another kind: 0.90.
    assert counted("block_rate[peer=guardrail]") == (2, 4)
    assert counted("stop_rate[peer=guardrail]") == (3, 4)
    assert counted("over_block_rate[peer=guardrail]") == (1, 5)
    assert counted("over_stop_rate[peer=guardrail]") == (2, 5)
    assert counted("block_rate[peer=other]") == (3, 4)
    assert counted("over_block_rate[peer=other]") == (1, 4)  # it failed on one
    assert found["over_block_rate[peer=other]"].remark == "1 of 5 rows failed, and are not in it"
    assert counted("block_rate[lang=ko, peer=other]") == (1, 2)
    assert counted("over_block_rate[source=a, peer=other]") == (1, 1)
    assert "stop_rate[peer=other]" not in found  # it alters nothing
    assert all(m.of[-1][0] == "peer" for m in found.values())
    # 15 of the 20 pairs stand in order: 0.50 is below 0.75 and 0.20 below 0.75, 0.45, 0.30; 0.80 and 0.95 above all.
    assert found["auroc[peer=guardrail]"].value == pytest.approx(16 / 20)
    assert (found["auroc[peer=other]"].value, found["auroc[peer=other]"].note) == (None, "it gives no score")
    strict = found["tpr_at_fpr[fpr=0.01, peer=guardrail]"]
    assert (strict.count, strict.n) == (2, 4)  # only 0.95 and 0.80 are above every harmless row
    assert "381 are needed" in strict.remark
    assert "tpr_at_fpr[fpr=0.01, peer=other]" not in found


def test_each_peer_is_set_against_guardrail_on_the_same_rows(plan: PeerPlan) -> None:
    found = by_key(peers_run(plan, None, peers=PEERS).measures)
    blocked = found["block_rate_difference[peer=other]"]
    assert (blocked.value, blocked.n, blocked.method) == (pytest.approx(0.25), 4, "McNemar, exact")
    assert blocked.note == "p = 1; 1 only by it, 0 only by guardrail"
    assert found["over_block_rate_difference[peer=other]"].value == 0.0
    assert "auroc_difference[peer=other]" not in found  # it has no score to compare
    assert "block_rate_difference[peer=guardrail]" not in found


def test_a_peer_that_fails_on_a_row_decides_nothing_and_its_message_is_not_kept(plan: PeerPlan, tmp_path: Path) -> None:
    run = peers_run(plan, tmp_path, peers=PEERS)
    failed = by_key(run.measures)["not_checked_rate[peer=other]"]
    assert (failed.count, failed.n) == (1, 10)
    lines = [json.loads(line) for line in (tmp_path / FILE).read_text("utf-8").splitlines()[1:]]
    said = [line["peers"]["other"] for line in lines if line["peers"]["other"]["action"] == FAILED]
    assert [(s["cause"], s["score"]) for s in said] == [("ValueError", None)]
    assert lines[0]["peers"]["guardrail"]["score"] == 0.95
    assert "orchard" not in "".join(p.read_text("utf-8") for p in tmp_path.iterdir() if p.name != "rows.jsonl")


def test_a_peer_that_fails_on_every_row_has_no_figure_and_loses_nothing(plan: PeerPlan) -> None:
    run = peers_run(plan, None, peers=[GUARDRAIL, peer("dead", lambda text: ours("s=none"))])
    found = {m.key: m for m in run.measures if m.of[-1] == ("peer", "dead")}
    assert run.not_run["dead"] == "failed on every row: ValueError"
    assert {m.value for m in found.values() if m.name != "not_checked_rate"} == {None}
    assert found["block_rate[peer=dead]"].remark == "4 of 4 rows failed, and are not in it"
    assert found["block_rate_difference[peer=dead]"].remark.startswith("4 of 4 rows failed")
    assert found["auroc[peer=dead]"].note == "it failed on every row"
    assert run.timing["rows"]["dead"] == {}  # how soon it gives up is no latency


def test_samples_of_another_commit_are_not_gone_on_from(
    plan: PeerPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers_run(plan, tmp_path, peers=PEERS)
    monkeypatch.setattr("guardrail.bench.run.environment.source", lambda: "another")
    with pytest.raises(DataError, match="--fresh"):
        peers_run(plan, tmp_path, peers=PEERS)


def test_prompts_are_kept_only_where_that_is_asked_for(plan: PeerPlan, tmp_path: Path) -> None:
    run = peers_run(replace(plan, keep_text=True), tmp_path, peers=PEERS)
    assert run.texts
    assert "secret orchard" in (tmp_path / FILE).read_text("utf-8")


def test_who_does_not_run_is_named_with_the_reason_and_has_no_figure(plan: PeerPlan) -> None:
    absent = [
        peer("lacking", ours, lacking="not installed: pip install lacking"),
        Peer("refusing", "text", refuses),
        Peer("broken", "text", breaks),
        peer("copyleft", ours, asked=True, licence="AGPL-3.0"),
    ]
    run = peers_run(plan, None, peers=[*PEERS, *absent])
    assert run.not_run == {
        "lacking": "not installed: pip install lacking",
        "refusing": "its file is not there: name it",
        "broken": "does not start: RuntimeError",
        "copyleft": "not asked for (licence: AGPL-3.0): --also copyleft",
    }
    assert {dict(m.of)["peer"] for m in run.measures} == {"guardrail", "other"}
    with_it = peers_run(replace(plan, also=("copyleft",)), None, peers=[*PEERS, *absent])
    assert "block_rate[peer=copyleft]" in by_key(with_it.measures)
    only = peers_run(replace(plan, only=("copyleft",)), None, peers=[*PEERS, *absent])
    assert {dict(m.of)["peer"] for m in only.measures} == {"guardrail", "copyleft"}


def test_without_guardrail_there_is_nothing_to_compare_with(plan: PeerPlan) -> None:
    with pytest.raises(ConfigurationError, match="name it"):
        peers_run(plan, None, peers=[Peer("guardrail", "text", refuses), PEERS[1]])


def test_the_run_says_by_which_policy_guardrail_decided(
    plan: PeerPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = str(scripted(monkeypatch, tmp_path))
    run = peers_run(replace(plan, policy=policy), None, peers=[own.prompts(policy), PEERS[1]])
    assert run.facts["policy"] == policy_facts(load(policy))
    assert [check["check"] for check in run.facts["checks"]] == ["sexual-text"]
    assert run.facts["lists"] == list_facts()
    assert dict(run.told)["policy"] == f"scripted 1.0.0, sha256 {run.facts['policy']['sha256']}"


def test_the_verb_maps_labels_reads_one_split_and_refuses_a_policy_that_nobody_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rows_file(tmp_path / "test.jsonl", [{"text": "a pier", "label": "nsfw"}])
    call = ["bench", "peers", "--data", str(path), "--only", "guardrail", "--policy", "nosuch"]
    for options, says in (
        (["--label-map", "nsfw=sexual", "--split", "train"], "it has test"),
        (["--label-map", "nsfw=sexual", "--split", "test"], "no shipped policy has this name"),
        (["--kind", "image", "--split", "test"], "leave it out"),
    ):
        with pytest.raises(SystemExit) as end:
            main([*call, *options])
        assert end.value.code == 2
        assert says in " ".join(capsys.readouterr().err.split())


def test_a_killed_run_goes_on_and_gives_the_same_figures(plan: PeerPlan, tmp_path: Path) -> None:
    whole = peers_run(plan, tmp_path, peers=PEERS)
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / FILE).write_bytes(b"".join(lines[:5]) + lines[5][:20])
    seen: list[str] = []

    def counting(text: str) -> Answer:
        seen.append(text)
        return ours(text)

    again = peers_run(plan, tmp_path, peers=[peer("guardrail", counting), PEERS[1]])
    assert len(seen) == 6  # four samples were whole
    assert (again.measures, again.curves) == (whole.measures, whole.curves)
    with pytest.raises(DataError, match="--fresh"):
        peers_run(replace(plan, limit=5), tmp_path, peers=PEERS)
    with pytest.raises(DataError, match="--fresh"):
        peers_run(plan, tmp_path, peers=[GUARDRAIL])


def test_no_peer_is_always_the_first_to_be_asked(plan: PeerPlan) -> None:
    order: list[str] = []

    def named(name: str) -> Peer:
        return peer(name, lambda text: order.append(name) or Answer("allow"))  # type: ignore[func-returns-value]

    peers_run(plan, None, peers=[named("guardrail"), named("a"), named("b")])
    assert order[:9] == ["guardrail", "a", "b", "a", "b", "guardrail", "b", "guardrail", "a"]


def test_every_table_and_figure_names_all_who_ran(plan: PeerPlan) -> None:
    run = peers_run(plan, None, peers=PEERS)
    decisions = next(s for s in run.sheets if s.title == "Decisions")
    assert [row[0] for row in decisions.rows] == ["guardrail", "other"]
    assert decisions.rows[0][2] == "50.00 (15.00–85.00)"
    assert decisions.rows[0][-1].startswith("to be blocked: 4 samples are too few for a claim; harmless: 5 samples")
    assert {f.name for f in run.figures} == {"peers-block-rate", "peers-over-block-rate", "peers-roc"}
    assert [line.name for f in run.figures for line in f.lines] == ["guardrail"]
    assert run.timing["rows"]["other"]["ms"]["p50"] >= 0
    assert "Published elsewhere, not measured here" in {s.title for s in run.sheets}


@pytest.mark.parametrize("kind", ["text", "image", "engine"])
def test_every_known_peer_says_under_which_licence_it_stands_or_why_it_is_not_there(kind: Any) -> None:
    peers = known(PeerPlan(kind))
    running, not_run = chosen(PeerPlan(kind), peers)
    assert running[0].name.startswith("guardrail")
    assert all(p.licence for p in peers)
    assert all(not_run.values())
    assert {p.name for p in peers} == {p.name for p in running} | set(not_run)


def test_a_peer_nobody_knows_and_two_of_one_name_are_refused() -> None:
    plan = PeerPlan("text", only=("better-profanty",))
    with pytest.raises(DataError, match=r"no peer 'better-profanty' of this kind, but: guardrail, "):
        chosen(plan, known(plan))
    with pytest.raises(DataError, match="two peers are called 'guardrail'"):
        known(PeerPlan("text", word_lists=[("guardrail", Path("a.txt"))]))


def test_a_word_list_of_the_users_own_finds_whole_words_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# a comment\nMarmalade\nbitter  orange\n", "utf-8")
    mine = next(p for p in known(PeerPlan("text", word_lists=[("mine", path)])) if p.name == "mine")
    opened = mine.open()
    said = {text: opened.judge(text).action for text in ("a MARMALADE jar", "marmalades", "Bitter orange", "orange")}
    assert said == {"a MARMALADE jar": "block", "marmalades": "allow", "Bitter orange": "block", "orange": "allow"}
    assert opened.told["terms"] == "2"
    path.write_text("# nothing\n", "utf-8")
    with pytest.raises(NotHere, match="has no term"):
        mine.open()


def test_options_that_are_not_written_as_asked_say_how() -> None:
    assert hub_of(["a=/x"], ["a=NSFW, LEWD"]) == [Hub("a", Path("/x"), ("NSFW", "LEWD"))]
    for call in (lambda: hub_of(["a"]), lambda: hub_of(["a=/x", "a=/y"]), lambda: hub_of([], ["b=NSFW"])):
        with pytest.raises(DataError, match="--hub"):
            call()
    with pytest.raises(DataError, match="--word-list"):
        named_files(["=x"], "--word-list")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--kind", "sound"], "it is text, image or engine"),
        (["--kind", "text"], "--data FILE"),
        (["--kind", "engine", "--only", "nobody"], "there is no peer 'nobody'"),
        (["--kind", "text", "--hub", "mine"], "NAME=VALUE"),
    ],
)
def test_the_verb_says_what_is_wrong_with_how_it_was_called(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", "peers", *options])
    assert end.value.code == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_the_verb_prints_the_figures_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("guardrail.bench.peers.run.LOOP_CALLS", 50)
    only = "guardrail (CEL)"
    with pytest.raises(SystemExit) as end:
        main(["bench", "peers", "--kind", "engine", "--limit", "15", "--only", only, "--json"])
    assert end.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["suite"] == "peers"
    agreed = [m for m in told["measures"] if m["name"] == "agreement_rate" and m["of"]["case"] == "complete"]
    assert [(m["value"], m["n"], m["of"]["peer"]) for m in agreed] == [(1.0, 12, only)]
    assert told["not_run"]["cedarpy (bare)"] == "not asked for"
