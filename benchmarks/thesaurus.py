"""Put guardrail/bench/attacks/synonyms.txt into order; end with what is wrong in it.

python benchmarks/thesaurus.py
"""

from guardrail.bench.attacks.thesaurus import FILE, ordered


def main() -> None:
    before = FILE.read_text("utf-8")
    try:
        after = ordered(before)
    except ValueError as error:
        raise SystemExit(f"{FILE}: {error}") from None
    FILE.write_text(after, "utf-8", newline="\n")
    groups = [line for line in after.splitlines() if not line.startswith("#")]
    print(f"{len(groups)} groups, {sum(len(g.split()) for g in groups)} words" + (", reordered" * (after != before)))


if __name__ == "__main__":
    main()
