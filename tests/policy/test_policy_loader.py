"""Reading rule files: what becomes of texts, where files are found, and that nothing but PolicyError comes out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from guardrail.decision import CORE_ACTIONS, ActionSpec
from guardrail.errors import Finding, PolicyError
from guardrail.policy import Policy, load_cases, load_policy
from guardrail.policy.model import AllOf, AnyOf, Compare, FlagTest, ListTest, Not, ScoreTest, WordTest
from guardrail.signals import CORE, Score, SignalSpec, Stage

SHIPPED = Path(__file__).resolve().parents[2] / "policies"
Make = Callable[[str], Policy]
Write = Callable[..., Path]
RULE = 'rules: [{id: r, at: prompt, when: {prompt.sexual: ">= 0.5"}, then: block}]\n'


@pytest.fixture(params=["C", "Python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers that PyYAML may have."""
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    return str(request.param)


def test_a_whole_file(policy_of: Make, parser: str) -> None:
    policy = policy_of("""
on_missing: ignore
thresholds:
  sexual: {explicit: 0.70, some: .4}
rules:
  - id: a
    locked: true
    severity: critical
    at: [prompt, reference]
    when:
      prompt.sexual: ">= explicit"
      any:
        - reference.faces: {any: {consent: [no, unknown], identifiable: true}}
        - not: {context.purpose: on}
    then: [block, {report: {queue: csam}}]
    message: refused
    refs: [AI-Act-50, 1.10]
  - {id: b, at: prompt, mode: shadow, when: {prompt.sexual: "<0.25"}, then: {guide: , label: {watermark: invisible}}}
messages:
  refused: {en: 'No.', ko: "안 됩니다.", pt-BR: Não.}
""")
    a, b = policy.rules
    assert a.when == AllOf(
        (
            Compare("prompt.sexual", ScoreTest(">=", 0.7, "sexual.explicit")),
            AnyOf(
                (
                    ListTest(
                        "reference.faces",
                        "any",
                        (("consent", WordTest(("no", "unknown"))), ("identifiable", FlagTest(True))),
                    ),
                    Not(Compare("context.purpose", WordTest(("on",)))),
                )
            ),
        )
    )
    assert a.then == (ActionSpec("block"), ActionSpec("report", {"queue": "csam"}))
    assert (a.at, a.locked, a.on_missing, a.mode) == ({Stage.PROMPT, Stage.REFERENCE}, True, "block", "enforce")
    assert (a.severity, a.message, a.refs) == ("critical", "refused", ("AI-Act-50", "1.10"))
    assert (b.when, b.mode, b.on_missing, b.severity) == (
        Compare("prompt.sexual", ScoreTest("<", 0.25)),
        "shadow",
        "ignore",
        "medium",
    )
    assert [(s.kind, dict(s.params)) for s in b.then] == [
        ("guide", {"away_from": "nudity"}),
        ("label", {"watermark": "invisible", "source_type": "none", "likeness": False}),
    ]
    assert policy.messages["refused"] == {"en": "No.", "ko": "안 됩니다.", "pt-BR": "Não."}
    assert policy.thresholds["sexual"] == {"explicit": 0.7, "some": 0.4}
    assert policy.places["thresholds.sexual.some"] == (5, 28)
    assert (a.line, a.column) == (7, 5)


def test_the_reference_names_the_bytes(write: Write) -> None:
    path = write(RULE)
    ref = load_policy(path).ref
    assert (ref.id, ref.version, ref.mode) == ("my", "1.0.0", "enforce")
    assert ref.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes() + b"# a comment\n")
    assert load_policy(path).ref.sha256 != ref.sha256


@pytest.mark.parametrize("version", ["0.1.0", "2026.8.0", "1.0.0-rc.1", "1.2.3+build.5"])
def test_versions(policy_of: Make, version: str) -> None:
    assert policy_of(f"policy: {{id: my, version: {version}}}\n{RULE}").version == version


def test_windows_files_load(tmp_path: Path, parser: str) -> None:
    text = f"policy: {{id: my, version: 1.0.0}}\n{RULE}"
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_policy(path).rules[0].line == 2


def test_a_plain_path_and_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_policy("default", shipped=SHIPPED).ref == load_policy(SHIPPED / "default.yaml").ref
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text(f"policy: {{id: my, version: 1.0.0}}\n{RULE}")
    (tmp_path / "default").write_text("a file of the same name in the working folder does not replace a shipped policy")
    assert load_policy("my.yaml", shipped=SHIPPED).id == "my"
    assert load_policy("default", shipped=SHIPPED).id == "default"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("defualt", "defualt: GP011 no shipped policy has this name — did you mean 'default'?"),
        ("unheard-of", "unheard-of: GP011 no shipped policy has this name — known: default"),
        ("absent.yaml", "absent.yaml: GP011 the file cannot be read: No such file or directory — check the path"),
        ("nul\0.yaml", "nul\0.yaml: GP011 the file cannot be read: not a usable path — check the path"),
        (".", ".: GP011 the file cannot be read: Is a directory — check the path"),
    ],
)
def test_a_file_that_is_not_there(tmp_path: Path, source: str, message: str) -> None:
    for name in ("default.yaml", "default.test.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(PolicyError) as caught:
        load_policy(source, shipped=tmp_path)
    assert str(caught.value) == message


def test_a_declared_signal_and_action_are_first_class(write: Write) -> None:
    more = CORE.extended([SignalSpec("output.logo", Stage.OUTPUT, Score("logo"), "A protected logo.")], by="test")
    text = 'thresholds: {logo: {seen: 0.5}}\nrules: [{id: r, at: output, when: {output.logo: ">= seen"}, then: block}]'
    with pytest.raises(PolicyError):
        load_policy(write(text))
    assert load_policy(write(text), vocabulary=more).rules[0].when == Compare(
        "output.logo", ScoreTest(">=", 0.5, "logo.seen")
    )
    only_label = {"label": CORE_ACTIONS["label"]}
    with pytest.raises(PolicyError, match="GP050"):
        load_policy(write(RULE), actions=only_label)


def test_every_finding_of_a_file_at_once(policy_of: Make) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of("""
mode: off
rules:
  - {id: r, at: prompt, when: {prompt.sexul: ">= 0.5"}, then: blok}
  - {id: r, at: promt, when: {prompt.sexual: 0.5}, then: block, colour: red}
""")
    assert [(f.code, f.line) for f in caught.value.findings] == [
        ("GP024", 3),
        ("GP030", 5),
        ("GP050", 5),
        ("GP027", 6),
        ("GP062", 6),
        ("GP035", 6),
        ("GP020", 6),
    ]
    assert caught.value.findings[1].source == '- {id: r, at: prompt, when: {prompt.sexul: ">= 0.5"}, then: blok}'


def test_tests_in_the_file_and_beside_it(write: Write) -> None:
    path = write(RULE + "tests: [{name: inside, given: {stage: prompt}, expect: {decision: allow}}]")
    beside = write("tests: [{name: beside, given: {stage: prompt}, expect: {decision: allow}}]", "my.test.yaml")
    cases = load_cases(load_policy(path))
    assert [(c.name, c.path, c.line) for c in cases] == [("inside", str(path), 3), ("beside", str(beside), 1)]
    write("tests: [{name: beside, given: {stage: prompt}, expect: {decision: allow, rules: [x]}}]", "my.test.yaml")
    with pytest.raises(PolicyError, match=r"my\.test\.yaml:1:82: GP070"):
        load_cases(load_policy(path))


GIVEN: list[tuple[str, set[Stage], dict[str, Any]]] = [
    ("{stage: prompt}", {Stage.PROMPT}, {"prompt.sexual": 0.0, "prompt.persons": (), "context.purpose": ""}),
    ("{stage: output}", {Stage.PROMPT, Stage.OUTPUT}, {"output.markable": "full", "output.hash_match": False}),
    (
        "{stage: output, reference.nudity: 1}",
        {Stage.PROMPT, Stage.REFERENCE, Stage.OUTPUT},
        {"reference.nudity": 1.0, "reference.faces": (), "output.nudity": 0.0},
    ),
    ("{stage: output, due: [output]}", {Stage.OUTPUT}, {"output.nudity": 0.0}),
    ("{stage: prompt, prompt.sexual: null}", {Stage.PROMPT}, {"prompt.sexual": None}),
    (
        "{stage: prompt, missing: [prompt.sexual, context.purpose]}",
        {Stage.PROMPT},
        {"prompt.sexual": None, "context.purpose": None},
    ),
    ("{stage: step, missing: step.nudity}", {Stage.PROMPT, Stage.STEP}, {"step.nudity": None}),
    ("{stage: prompt, context.purpose: no}", {Stage.PROMPT}, {"context.purpose": "no"}),
    (
        "{stage: reference, reference.faces: [{consent: no, match: null}]}",
        {Stage.PROMPT, Stage.REFERENCE},
        {"reference.faces": ({"real": 0.0, "identifiable": False, "match": None, "gallery": "none", "consent": "no"},)},
    ),
]


@pytest.mark.parametrize(("given_text", "due", "signals"), GIVEN)
def test_what_a_test_does_not_name_is_benign(
    policy_of: Make, given_text: str, due: set[Stage], signals: dict[str, Any]
) -> None:
    (case,) = policy_of(RULE + f"tests: [{{name: t, given: {given_text}, expect: {{decision: allow}}}}]").cases
    assert case.due == due
    assert {name: case.signals[name] for name in signals} == signals
    known = {s.name for s in CORE.signals.values() if s.stage is None or s.stage in due}
    assert set(case.signals) == known


# ---- hostile files

BIG = {
    "flat list": b"[" + b"a," * 499_000 + b"]",
    "brackets": b"[" * 900_000,
    "braces": b"{" * 900_000,
    "dashes": b"- " * 450_000,
    "question marks": b"? " * 450_000,
    "one long word": b"a" * 990_000,
    "one long key": b"a" * 990_000 + b": 1",
    "unknown keys": b"".join(b"k%d: 1\n" % i for i in range(40_000)),
    "broken rules": b"rules:\n" + b"  - {id: A, at: x, then: y, when: {z: 1}}\n" * 3_500,
    "anchors": b"a: &a [x]\n" + b"".join(b"b%d: *a\n" % i for i in range(20_000)),
    "bombs": b'a: &a ["lol","lol"]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c]\n',
    "quotes": b'"' + b"\\n" * 490_000,
    "deep blocks": b"".join(b" " * i + b"a:\n" for i in range(1_300)),
    "comments": b"#" * 990_000,
    "line ends": b"\n" * 990_000,
}


@pytest.mark.parametrize("name", BIG)
def test_big_hostile_files_are_refused_in_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(BIG[name])
    start = time.monotonic()
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert time.monotonic() - start < 5.0  # at most 0.5 s when alone on a core
    assert 0 < len(caught.value.findings) <= 100


PIECES = [
    b"- ", b": ", b"\n", b"  ", b"\t", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"!!int ", b"|", b">", b"'", b'"',
    b"---\n", b"...\n", b"? ", b"#", b"%YAML 9.9\n", b"\x00", b"\xff", b"\xe2\x80\xa8", b"null", b"~", b"true",
    b"0.5", b">= 0.5", b"any", b"all", b"not", b"none", b"rules", b"when", b"then", b"block", b"tests", b"given",
    b"prompt.sexual", b"reference.faces", b"always", b"<<", b"\\", b"\r", b"1e999", b"-1", b"9" * 400,
]  # fmt: skip
TEXTS = [(SHIPPED / name).read_bytes() for name in ("default.yaml", "default.test.yaml")]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The shipped policy with tokens inserted, replaced and cut out, and its lines swapped."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        end = at + draw(st.integers(0, 40))
        text = text[:at] + draw(st.sampled_from([b"", *PIECES])) + text[end:]
    return text


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzz.yaml"


def findings_of(load: Callable[[], object]) -> tuple[Finding, ...] | None:
    """What a refusal says; None when it loads. Any other exception fails the test."""
    try:
        load()
    except PolicyError as error:
        return error.findings
    return None


@w.CASES
@given(raw=st.one_of(st.binary(max_size=400), st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)))
def test_random_bytes_raise_nothing_but_policy_error(fuzzed: Path, raw: bytes) -> None:
    fuzzed.write_bytes(raw)
    assert findings_of(lambda: load_policy(fuzzed))


@w.CASES
@given(raw=damaged())
def test_damaged_policies_raise_nothing_but_policy_error(fuzzed: Path, raw: bytes) -> None:
    fuzzed.write_bytes(raw)
    found = findings_of(lambda: load_policy(fuzzed))
    assert found != ()
    if found is None:  # nothing is dropped in silence
        assert len(load_policy(fuzzed).rules) == len(yaml.safe_load(raw)["rules"])
    good = fuzzed.with_name("good.yaml")
    good.write_text(f"policy: {{id: my, version: 1.0.0}}\n{RULE}")
    fuzzed.with_name("good.test.yaml").write_bytes(raw)
    assert findings_of(lambda: load_cases(load_policy(good))) != ()


CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


def test_what_fuzzing_found_interesting_loads_or_is_a_policy_error() -> None:
    """Inputs that once reached something new in the loader (benchmarks/fuzz_policy.py); none of them may crash it."""
    assert len(CORPUS) > 50
    refused = []
    for path in CORPUS:
        try:
            load_cases(load_policy(path, shipped=SHIPPED))
        except PolicyError as error:
            refused.append(str(error))
    assert len(CORPUS) > 50
    assert refused
    assert all(refused)
