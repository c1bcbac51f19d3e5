"""`guardrail policy simulate` and `new --test-from`, on a record that a real guard wrote."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail import Guard
from guardrail.audit import records
from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.registry import declared_checks
from guardrail.cli.policy.shared import installed
from guardrail.decision import EffectiveCheck
from guardrail.guard import build
from guardrail.guard.build import open_audit
from guardrail.keys import load_keyring
from guardrail.media import Request, Role, TextInput, Unverified
from guardrail.media.read import read_image
from guardrail.paths import shipped_policies
from guardrail.policy import BuiltinEngine, load_policy, run_tests
from guardrail.policy.replay import Unreplayable, past_of, replay
from guardrail.policy.scaffold import case_of
from guardrail.policy.simulate import simulate
from guardrail.signals import CORE, SignalSpec, Stage
from tests.cli.said import Run, running
from tests.scripted import ScriptedFaces, ScriptedNudity, install


class Words:
    """What a prompt says is written in it: `sexual=0.4 persons=public:0.9`; `missing` is a check that failed."""

    version = "test"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    inline = True
    timeout_s = 5.0
    name = ""
    gives: tuple[SignalSpec, ...] = ()

    def __init__(self, settings: CheckSettings | None = None) -> None:
        pass

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(dict(part.split("=") for part in r.texts[0].text.split())) for r in batch]

    def _one(self, said: dict[str, str]) -> SignalValues | Failure:
        (spec,) = self.gives
        word = said.get(spec.name.removeprefix("prompt."), "0")
        if word == "missing":
            return Failure("as scripted")
        if spec.name != "prompt.persons":
            return SignalValues({spec.name: float(word)})
        found = [p.split(":") for p in word.split(",") if ":" in p]
        return SignalValues({spec.name: tuple({"kind": kind, "match": float(match)} for kind, match in found)})

    def warmup(self) -> None:
        pass

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)


class Sexual(Words):
    name, gives = "sexual-text", (CORE["prompt.sexual"],)


class Minor(Words):
    name, gives = "minor-words", (CORE["prompt.minor"],)


class Persons(Words):
    name, gives = "person-names", (CORE["prompt.persons"],)


def by_blue(image: Any) -> float | None:
    value = float(image.frames[0][0, 0, 2]) / 255
    return None if value == 1 else value


def by_green(image: Any) -> list[Any]:
    value = int(image.frames[0][0, 0, 1])
    fields = {"real": value / 255, "identifiable": value % 2 == 0, "match": (value * 7 % 256) / 255}
    fields["gallery"] = ("none", "protected", "consented")[value % 3]
    fields["consent"] = ("yes", "no", "unknown")[value % 3]
    return [((20.0, 20.0, 40.0, 40.0), fields)] if value > 40 else []


def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Sexual, Minor, Persons, ScriptedNudity, ScriptedFaces)
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(by_blue))
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(by_green))


def picture(chance: random.Random, side: int = 96) -> np.ndarray:
    blue = chance.choice([0, 0, 0, 0, 60, 100, 180, 255])
    green = chance.choice([0, 0, 0, chance.randrange(256)])
    return np.full((side, side, 3), (90, green, blue), np.uint8)


def ask(guard: Guard, chance: random.Random) -> None:
    """One request of any shape: words, pictures, both, an output after it, a preview, something unreadable."""
    sexual = chance.choice(["0", "0", "0", "0.2", "0.41", "0.55", "0.9", "missing"])
    minor = chance.choice(["0", "0", "0", "0", "0.3", "missing"])
    persons = chance.choice(["none", "none", "none", "public:0.9", "private:0.6", "public:0.2,private:0.5", "missing"])
    prompt = f"sexual={sexual} minor={minor} persons={persons}"
    shape = chance.randrange(10)
    with guard.context(purpose=chance.choice(["", "art"]), locale=chance.choice(["en", "ko"])):
        if shape == 0:
            guard.check_image(picture(chance))
        elif shape == 1 and chance.random() < 0.3:
            guard.check_request(prompt=prompt, images=[b"no picture"])
        elif shape == 2:
            guard.check_output(picture(chance, chance.choice([96, 32])))
        elif shape < 6:
            generate(guard, prompt, chance)
        else:
            images = [picture(chance) for _ in range(chance.choice([0, 0, 1, 2]))]
            asked = guard.check_request(prompt=prompt, images=images)
            if shape == 6:
                asked = guard.check_preview(picture(chance), after=asked)
            if shape > 6:
                made = guard.check_output(picture(chance), after=asked)
                if shape == 9:  # a stage that comes after a later one
                    guard.check_preview(picture(chance), after=made)


def generate(guard: Guard, prompt: str, chance: random.Random) -> None:
    """A call through all stages in one session, as a pipeline makes it: two outputs, and again where asked to."""
    session = guard.session()
    images = tuple(read_image(picture(chance)) for _ in range(chance.choice([0, 1])))
    unverified = chance.choice([(), (), (Unverified("latent", "latents"),), (Unverified("unknown", "ip_adapter"),)])
    texts = (TextInput(prompt),) if chance.random() < 0.9 else ()
    session.open([Request(texts, images, unverified=unverified, context=guard.current_context())])
    session.judge_inputs()
    (item,) = session.items
    closing = []
    for index in range(2):
        if item.blocked:
            closing.append((item.fork(index), "", ""))
            continue
        made = read_image(picture(chance), role=Role.OUTPUT)
        out = session.judge_output(
            item, made, index, again=lambda attempt: read_image(picture(chance), role=Role.OUTPUT)
        )
        closing.append((out.item, "", ""))
    session.close(closing)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with a record of some 1,000 decisions of every shape, under the default policy."""
    folder = tmp_path_factory.mktemp("home")
    chance = random.Random(11)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUARDRAIL_HOME", str(folder))
        scripted(patch)
        with Guard(gallery=None) as guard:
            for _ in range(600):
                ask(guard, chance)
        yield folder


@pytest.fixture
def log(home: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GUARDRAIL_HOME", str(home))
    return home / "audit.sqlite"


@pytest.fixture
def exported(log: Path, tmp_path: Path) -> Path:
    """All records, reports and the opening of the log among them, as JSON lines, newest first."""
    path = tmp_path / "audit.jsonl"
    with open_audit(log, load_keyring()) as opened, path.open("w") as file:  # type: ignore[union-attr]
        file.writelines(json.dumps(r.to_json()) + "\n" for r in records(opened, None))
    return path


@pytest.fixture
def bodies(exported: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, exported.read_text().splitlines())
    return [line["body"] for line in lines if line["type"] == "decision"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("simulate", "--under", …)`: what `guardrail policy` says and exits with."""
    return running(capsys, "policy")


def default() -> BuiltinEngine:
    engine = build.load_engine("default", declared_checks())
    assert isinstance(engine, BuiltinEngine)
    return engine


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(rules: str, name: str = "b") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"policy: {{id: {name}, version: 1.0.0}}\n{rules}")
        return path

    return write


# ---- the same policy


def test_the_policy_that_recorded_decides_the_same_again_in_every_word(bodies: list[dict[str, Any]]) -> None:
    engine, again = default(), 0
    for body in bodies:
        past = past_of(body)
        if past.asked and not past.own and not past.regenerated:
            assert replay(past, engine) == past.outcome, body["id"]
            again += 1
    assert again > 800


def test_what_the_rules_do_not_account_for_is_counted_apart_and_nothing_is_lost(
    run: Run, log: Path, bodies: list[dict[str, Any]]
) -> None:
    said = run("simulate", "--under", "default", "--json")
    assert said.code == 0
    told = said.json
    own = {"input": 0, "action": 0}
    for body in bodies:
        kinds = {r["kind"] for r in body["reasons"] if r["effect"] == "block"}
        asked = any(step.endswith(".policy") for step in body["timings_ms"])
        for kind in kinds & own.keys() if not kinds & {"rule", "missing"} else ():
            own[kind] += asked or kind == "input"  # an action can only fail where a rule asked for it
    assert told["flipped"]["count"] == 0
    assert {kind: sum(now.values()) for kind, now in told["blocked_by_the_guard"].items()} == own
    assert min(own.values()) > 0
    assert set(told["blocked_by_the_guard"]["action"]) == {"alter"}, "a rule asked to alter, and it could not be done"
    assert set(told["blocked_by_the_guard"]["input"]) == {"not asked"}
    again = sum(any(a["kind"] == "regenerate" and a["status"] == "applied" for a in b["alterations"]) for b in bodies)
    (repeats,) = (n for why, n in told["not_replayed"].items() if "repeats what an earlier decision refused" in why)
    (generated,) = (n for why, n in told["not_replayed"].items() if "the picture was generated again" in why)
    assert generated == again > 0
    assert len(bodies) == told["records"] == told["replayed"] + sum(own.values()) + repeats + generated


def test_the_counts_are_those_of_the_record(run: Run, log: Path, bodies: list[dict[str, Any]]) -> None:
    found = simulate(bodies, default())
    pasts = [past_of(b) for b in bodies]
    pasts = [p for p in pasts if p.asked and not p.own and not p.regenerated]
    for rule in found.rules:
        assert found.before[rule] == found.after[rule] == sum(rule in p.outcome.rules for p in pasts)
        assert found.closed_before[rule] == found.closed_after[rule] == sum(rule in p.outcome.closed for p in pasts)
    assert found.blocked_before.hits == found.blocked_after.hits == sum(p.outcome.action == "block" for p in pasts)


# ---- another policy


def test_other_thresholds_flip_what_lies_between_them(run: Run, log: Path, bodies: list[dict[str, Any]]) -> None:
    said = run("simulate", "--policy", "default", "--threshold", "sexual.explicit=0.5", "--json", "--show", 10_000)
    assert said.code == 1
    told = said.json
    by_id = {b["id"]: b for b in bodies}
    assert told["flipped"]["count"] == len(told["flips"]) > 0
    for flip in told["flips"]:
        assert 0.5 <= by_id[flip["id"]]["signals"]["prompt.sexual"] < 0.7
        assert (flip["after"], flip["newly"]) == ("block", ["explicit-request"])
    assert told["block_rate"]["after"]["count"] > told["block_rate"]["before"]["count"]
    assert sum(told["matrix"]["block"].values()) == told["matrix"]["block"]["block"]
    assert told["under"]["version"] == "1.0.0+sexual-explicit-0-5"


def test_a_looser_policy_says_where_it_lets_on_what_was_stopped(run: Run, log: Path, write: Any) -> None:
    rules = write("rules: [{id: n, at: output, when: {output.nudity: '>= 0.99'}, then: block}]")
    told = run("simulate", "--under", rules, "--json").json
    assert told["let_on"] == sum(told["matrix"]["block"][to] for to in ("allow", "alter")) > 0


def test_two_policies_are_compared_with_each_other(run: Run, log: Path, write: Any) -> None:
    rules = "rules: [{{id: s, at: prompt, when: {{prompt.sexual: '>= {}'}}, then: block}}]"
    tight, loose = write(rules.format("0.3"), "tight"), write(rules.format("0.8"), "loose")
    one, other = (
        run("simulate", "--policy", a, "--under", b, "--json").json for a, b in ((tight, loose), (loose, tight))
    )
    assert one["matrix"]["block"]["allow"] == other["matrix"]["allow"]["block"] > 0
    assert one["block_rate"]["after"] == other["block_rate"]["before"]


def test_a_signal_that_was_never_measured_is_neither_missing_nor_harmless(
    run: Run, log: Path, write: Any, bodies: list[dict[str, Any]]
) -> None:
    rules = write("rules: [{id: young, at: output, when: {output.minor: '>= 0.5'}, then: block}]")
    told = run("simulate", "--under", rules, "--json").json
    (count,) = (n for why, n in told["not_replayed"].items() if why.endswith("no check measured it then: output.minor"))
    pasts = [p for p in map(past_of, bodies) if p.asked and not p.regenerated]
    assert count == sum(Stage.OUTPUT in p.due for p in pasts) > 0
    assert told["replayed"] == sum(Stage.OUTPUT not in p.due and not p.own for p in pasts) > 0
    assert told["block_rate"]["after"]["count"] == 0


def test_a_rule_in_shadow_mode_is_counted_and_flips_nothing(run: Run, log: Path, write: Any) -> None:
    rules = "rules: [{{id: s, at: prompt, mode: {}, when: {{prompt.sexual: '>= 0.3'}}, then: block}}]"
    acting, watching = write(rules.format("enforce"), "acting"), write(rules.format("shadow"), "watching")
    told = run("simulate", "--policy", acting, "--under", watching, "--json").json["rules"]["s"]
    assert told["acts"]["after"]["count"] == 0
    assert told["shadow"]["after"]["count"] == told["acts"]["before"]["count"] > 0


# ---- which records


def test_json_lines_tell_the_same_as_the_record(run: Run, log: Path, exported: Path, tmp_path: Path) -> None:
    command = ("simulate", "--policy", "default", "--threshold", "nudity.partial=0.2", "--json", "--log")
    straight, nested = run(*command, log).json, run(*command, exported).json
    assert nested["others"] == nested["records"] - straight["records"] > 0
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    flat, array = tmp_path / "flat.jsonl", tmp_path / "array.json"
    rows = [{"seq": r["seq"], "time": r["time"], "type": r["type"], **r["body"]} for r in lines]
    flat.write_text("".join(json.dumps(row) + "\n" for row in rows))
    array.write_text(json.dumps(rows, indent=1))
    for told in (nested, run(*command, flat).json, run(*command, array).json):
        assert {k: v for k, v in told.items() if k not in ("records", "others")} == {
            k: v for k, v in straight.items() if k not in ("records", "others")
        }


def test_lines_that_are_no_records_are_counted(run: Run, log: Path, exported: Path) -> None:
    whole = run("simulate", "--under", "default", "--log", exported, "--json").json
    with exported.open("a") as file:
        file.write('\n{"half": \n[1]\n{"action": "block", "signals": {}}\n')
    told = run("simulate", "--under", "default", "--log", exported, "--json").json
    assert told["replayed"] == whole["replayed"]
    assert told["records"] == whole["records"] + 3
    assert told["not_replayed"]["it is not a record (no JSON object)"] == 2
    assert told["not_replayed"]["it has no `timings_ms`"] == 1


@pytest.mark.parametrize("kind", ["sqlite", "jsonl"])
def test_since_and_limit_choose(run: Run, log: Path, exported: Path, kind: str) -> None:
    file = log if kind == "sqlite" else exported
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    times = [line["time"] for line in lines if line["type"] == "decision"]
    command = ("simulate", "--under", "default", "--json", "--log", file)
    since = run(*command, "--since", times[99]).json
    assert since["records"] - since["others"] == 100
    assert run(*command, "--limit", 7).json["records"] == 7
    assert run(*command, "--since", "2h").json["replayed"] == run(*command).json["replayed"]
    later = run(*command, "--since", "2100-01-01")
    assert (later.code, later.json["replayed"]) == (1, 0)


def test_what_is_printed_for_people(run: Run, log: Path) -> None:
    said = run("simulate", "--under", "default", "--threshold", "sexual.explicit=0.5", "--show", 2)
    assert said.code == 1
    assert said.err == "", "progress is for terminals"
    first = said.out.splitlines()[0]
    assert first.startswith(
        "before: what was recorded; after: default 1.0.0+sexual-explicit-0-5; recorded under default"
    )
    assert "before ╲ after" in said.out
    assert "95 %" in said.out
    assert "blocked by the guard itself, not by a rule (input)" in said.out
    assert said.out.count("+explicit-request") == 2
    assert "more (--show " in said.out
    for content in ("sexual=", "persons=", "public:0.9"):
        assert content not in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name the policy to decide by: --under FILE"),
        (["--threshold", "sexual.explicit=0.5"], "name the policy to decide by"),
        (["--under", "defualt"], "did you mean 'default'"),
        (["--under", "default", "--log", "/nowhere"], "cannot be read: No such file"),
        (["--under", "default", "--since", "lately"], "--since 'lately' is no time"),
        (["--under", "default", "--threshold", "sexual.explicit"], "write it as family.name=0.4"),
        (["--under", "default", "--threshold", "sexual.explict=0.5"], "did you mean 'sexual.explicit'"),
        (["--under", "default", "--threshold", "sexual.explicit=70"], "lies in 0..1"),
    ],
)
def test_wrong_use_of_simulate_is_one_line(run: Run, log: Path, arguments: list[str], says: str) -> None:
    said = run("simulate", *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_record_of_another_key_is_refused(
    run: Run, log: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDRAIL_HOME", str(own_home))
    said = run("simulate", "--under", "default", "--log", log)
    assert said.code == 2
    assert "written with another key" in said.err


# ---- a test from a record


def test_a_test_made_of_any_decision_passes_against_the_policy(bodies: list[dict[str, Any]], write: Any) -> None:
    policy = load_policy("default", **installed())
    engine = BuiltinEngine(policy)
    made, refused, blocked = [], 0, 0
    for body in bodies:
        try:
            made.append(case_of(past_of(body), engine, policy.vocabulary))
        except Unreplayable:
            refused += 1
        else:
            blocked += "decision: block" in made[-1]
    assert len(made) > 800
    assert blocked > 100
    pasts = map(past_of, bodies)
    assert refused == sum(not p.asked or any(d.position > p.asked[-1][0].position for d in p.due) for p in pasts)
    copy = write("")
    copy.write_bytes(Path(policy.path).read_bytes())
    copy.with_name("b.test.yaml").write_text("tests:\n" + "".join(made))
    loaded = load_policy(copy, **installed())
    report = run_tests(loaded, BuiltinEngine(loaded))
    assert report.failed == ()
    assert len(report.passed) == len(made)


def test_a_test_of_the_stage_that_decided_expects_what_was_decided(bodies: list[dict[str, Any]]) -> None:
    policy = load_policy("default", **installed())
    engine, compared = BuiltinEngine(policy), 0
    for past in map(past_of, bodies):
        backwards = past.asked and any(stage.position > past.asked[-1][0].position for stage in past.due)
        if past.asked and past.due and not past.own and not past.regenerated and not backwards:
            assert f"decision: {past.outcome.action}," in case_of(past, engine, policy.vocabulary)
            compared += 1
    assert compared > 600


def test_new_prints_a_test_from_the_record_and_from_an_export(run: Run, exported: Path, bodies: Any) -> None:
    (body, *_) = (
        b
        for b in bodies
        if b["action"] == "block" and b["stage"] == "reference" and b["signals"].get("reference.faces")
    )
    said = run("new", "--test-from", body["id"])
    assert said.code == 0
    assert said.out.startswith("  # It was decided then: block by default 1.0.0.")
    assert f"  - name: from decision {body['id']}\n    given:\n      stage: " in said.out
    assert run("new", "--test-from", body["id"], "--log", exported).out == said.out
    assert run("new", "--test-from", body["id"], "--json").json["yaml"] == said.out
    for content in ("sexual=", "persons=", *body["inputs"].get("text_hashes", ())):
        assert content not in said.out


def test_no_test_can_be_made_where_no_rule_was_asked(run: Run, log: Path, bodies: list[dict[str, Any]]) -> None:
    body = next(b for b in bodies if b["reasons"] and b["reasons"][-1]["kind"] == "input")
    said = run("new", "--test-from", body["id"])
    assert (said.code, said.out) == (2, "")
    assert "no rule was asked: the guard itself blocked (input)" in said.err


# ---- a new policy


def test_new_writes_a_policy_that_loads_passes_and_lints(run: Run, tmp_path: Path) -> None:
    said = run("new", tmp_path / "acme")
    assert said.code == 0
    file = tmp_path / "acme.yaml"
    policy = load_policy(file, **installed())
    assert policy.id == "acme"
    assert {"no-people-in-adverts", "real-person-sexual"} <= {rule.id for rule in policy.rules}
    assert run("lint", file).code == 0
    assert run("test", file).code == 0


@pytest.mark.parametrize("parent", sorted(p.stem for p in shipped_policies().glob("*.yaml") if ".test" not in p.name))
def test_a_new_policy_stands_on_every_shipped_one(run: Run, tmp_path: Path, parent: str) -> None:
    said = run("new", tmp_path / "acme.yaml", "--extends", parent, "--json")
    assert said.code == 0
    assert said.json["tests"]["failed"] == 0
    assert said.json["tests"]["passed"] >= 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "either a name for a new policy, or --test-from"),
        (["x", "--test-from", "y"], "either a name for a new policy, or --test-from"),
        (["{tmp}/there"], "there.yaml is there already"),
        (["{tmp}/no/such/folder"], "cannot be written"),
        (["{tmp}/Loud_Name"], "use small letters, digits and hyphens"),
        (["{tmp}/x", "--extends", "defualt"], "did you mean 'default'"),
        (["--test-from", "01a2"], "there is no decision 01a2 on record"),
    ],
)
def test_wrong_use_of_new_is_one_line_and_leaves_no_file(
    run: Run, log: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "there.yaml").write_text("mine")
    said = run("new", *(a.format(tmp=tmp_path) for a in arguments))
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert [p.name for p in tmp_path.glob("*.yaml")] == ["there.yaml"]
    assert (tmp_path / "there.yaml").read_text() == "mine"


# ---- watching a file


def test_watch_once_is_lint_and_test(run: Run, write: Any) -> None:
    good = write("rules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: block}]")
    said = run("watch", good, "--once")
    assert (said.code, said.out.count("is in force")) == (0, 1)
    write("rules: [{id: r, at: prompt, when: {prompt.sexul: '>= 0.5'}, then: block}]")
    said = run("watch", good, "--once", "--json")
    assert said.code == 1
    assert (said.json["taken"], said.json["in_force"]) == (False, None)
    assert said.json["findings"][0]["code"] == "GP030"
    write("rules: [{id: r, at: output, when: {output.minor: '>= 0.5'}, then: block}]")
    assert "no check installed here gives output.minor (read by r)" in run("watch", good, "--once").out


@pytest.mark.parametrize(("file", "says"), [("no.yaml", "is not a file"), ("defualt", "did you mean 'default'")])
def test_wrong_use_of_watch_is_one_line(run: Run, file: str, says: str) -> None:
    said = run("watch", file)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1


def test_watch_takes_what_is_good_keeps_what_was_and_hears_signals(write: Any, own_home: Path) -> None:
    good = "rules: [{{id: r, at: prompt, when: {{prompt.sexual: '>= {}'}}, then: block}}]"
    path = write(good.format(0.5))
    command = [sys.executable, "-c", "from guardrail.cli import main; main()", "policy", "watch", str(path), "--json"]
    with subprocess.Popen([*command, "--every", "0.05"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None

        def event() -> Any:
            return json.loads(watch.stdout.readline())  # type: ignore[union-attr]

        first = event()
        assert first["taken"]
        write(good.format(0.4))
        second = event()
        assert second["taken"]
        assert second["in_force"]["sha256"] != first["in_force"]["sha256"]
        path.write_text("policy: [")
        third = event()
        assert not third["taken"]
        assert third["in_force"] == second["in_force"]
        assert "GP001" in third["error"]
        if hasattr(signal, "SIGHUP"):
            watch.send_signal(signal.SIGHUP)
            assert event() == third
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 1
