"""Coverage-guided fuzzing of the loader of rule files: nothing but PolicyError comes out, and nothing takes a second.

    pip install atheris
    python benchmarks/fuzz_policy.py [--seconds 600] [--work FOLDER] [--keep 150]

Seeds are the shipped policies, the broken files of tests/policy/golden and tests/policy/corpus. What reaches something
new lies in the work folder afterwards; with --keep the smallest of it are copied to tests/policy/corpus instead of
fuzzing, where every test run loads them. A failing input is written to the current folder, and the status is not zero.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import atheris  # noqa: E402 — after the path is set

with atheris.instrument_imports(include=["guardrail.policy"]):
    from guardrail.errors import PolicyError
    from guardrail.policy import compose, load_cases, load_policy  # noqa: F401 — compose is imported late otherwise

LONGEST_S = 1.0


CORPUS = ROOT / "tests" / "policy" / "corpus"


def seeds(folder: Path) -> None:
    sources = [*ROOT.glob("policies/**/*.yaml"), *ROOT.glob("tests/policy/golden/**/*.yaml"), *CORPUS.glob("*")]
    for number, path in enumerate(sources):
        if path.is_file() and path.stat().st_size < 20_000:
            (folder / f"seed-{number}").write_bytes(path.read_bytes())


def keep(folder: Path, count: int) -> None:
    found = sorted((p for p in folder.iterdir() if not p.name.startswith("seed-")), key=lambda p: p.stat().st_size)
    CORPUS.mkdir(exist_ok=True)
    for path in found[:count]:
        (CORPUS / f"{path.name[:12]}.yaml").write_bytes(path.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", type=int, help="copy so many of the last run into the corpus instead of fuzzing")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-policy")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.keep:
        keep(given.work, given.keep)
        return
    seeds(given.work)
    shipped = ROOT / "policies"
    scratch = Path(tempfile.mkdtemp())
    path = scratch / "fuzzed.yaml"

    def one(content: bytes) -> None:
        path.write_bytes(content)
        begun = time.perf_counter()
        try:
            load_cases(load_policy(path, shipped=shipped))
        except PolicyError as error:
            str(error)
        taken = time.perf_counter() - begun
        if taken > LONGEST_S:
            raise RuntimeError(f"{len(content)} bytes took {taken:.2f} s")

    flags = ["-max_len=8000", "-rss_limit_mb=4000", "-timeout=20"]
    flags += [f"-max_total_time={given.seconds}", str(given.work)]
    atheris.Setup([sys.argv[0], *flags], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
