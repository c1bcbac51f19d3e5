"""Every code of the other languages: a broken file in golden/ and the exact text that an author reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardrail.errors import PolicyError
from guardrail.policy.engines import engine_for

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parents[3]
NAMES = sorted(p.name for p in GOLDEN.iterdir() if p.suffix != ".txt")
# No file is broken where a server cannot be asked: test_engines_opa.py has it.
WITHOUT_A_FILE = {"GP220"}


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(PolicyError) as caught:
        engine_for(name)
    said = "".join(f"{finding}\n" for finding in caught.value.findings)
    assert said == Path(f"{name}.txt").read_text("utf-8")
    assert {f.code for f in caught.value.findings} == {name.partition("-")[0]}


def test_every_code_has_a_golden_file_and_a_line_in_the_table() -> None:
    sources = (p.read_text("utf-8") for p in (ROOT / "guardrail" / "policy" / "engines").glob("*.py"))
    used = {code for text in sources for code in re.findall(r'"(GP2[0-9]+)"', text)}
    table = re.findall(r"^\| `(GP2[0-9]+)` \|", (ROOT / "docs" / "policy-codes.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(used) == table
    assert {name.partition("-")[0] for name in NAMES} == used - WITHOUT_A_FILE
