"""Reading labelled prompts: every format gives the same rows, and what is wrong is named by file, line and mend."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from guardrail.bench.data import Columns, DataError, Labels, Row, label_map, rows, survey
from guardrail.bench.data_facts import told_data
from guardrail.bench.files import found_in

SECRET = "violet harbour"  # stands in every prompt, and in no message
JSONL = (
    f'{{"text": "{SECRET} 1", "label": "benign", "lang": "en", "id": 7}}\n\n'
    f'{{"text": "{SECRET} 2", "label": "sexual", "source": "s", "orig_label": ["x"], "id": "b"}}\n'
)
CSV = f'id,label,text,lang,source\n7,benign,{SECRET} 1,en,\n"b",sexual,"{SECRET} 2",,s\n'


def read(
    *paths: Path,
    columns: Columns | None = None,
    labels: Labels | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> list[Row]:
    columns, labels = columns or Columns(), labels or Labels()
    return list(rows(survey(list(paths), columns, labels), columns, labels, limit, seed))


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    raw = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.jsonl", JSONL),
        ("d.jsonl.gz", JSONL),
        ("d.csv", CSV),
        ("d.csv.gz", CSV),
        ("bom.csv", "\ufeff" + CSV),
        ("dos.csv", CSV.replace("\n", "\r\n")),
        ("semicolons.csv", CSV.replace(",", ";")),
        ("tabs.csv", CSV.replace(",", "\t")),
        ("dos.jsonl", JSONL.replace("\n", "\r\n")),
    ],
)
def test_formats_give_the_same_rows(tmp_path: Path, name: str, text: str) -> None:
    found = [(r.text, r.label, r.role, r.lang, r.source, r.id) for r in read(written(tmp_path, name, text))]
    assert found == [
        (f"{SECRET} 1", "benign", "benign", "en", "", "7"),
        (f"{SECRET} 2", "sexual", "block", "", "s", "b"),
    ]


def test_a_csv_field_over_several_lines_is_one_row_and_later_lines_keep_their_number(tmp_path: Path) -> None:
    path = written(tmp_path, "d.csv", 'text,label\n"one\ntwo, ""three""",benign\nfour,sexual\n')
    assert [(r.text, r.place) for r in read(path)] == [
        ('one\ntwo, "three"', "d.csv:2"),
        ("four", "d.csv:4"),
    ]


def test_columns_and_labels_are_mapped(tmp_path: Path) -> None:
    path = written(
        tmp_path, "d.jsonl", '{"prompt": "x", "kind": "nsfw", "violence": 1}\n{"prompt": "y", "kind": "ok"}\n'
    )
    columns = Columns.of(["text=prompt", "label=kind"])
    found = read(path, columns=columns, labels=Labels(block=("nsfw",), benign=("ok",)))
    assert [r.role for r in found] == ["block", "benign"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "d.jsonl",
            '{"text": "", "label": true}\n{"text": "", "label": 0}\n{"text": ""}\n{"text": "", "label": "a=b"}\n',
        ),
        ("d.csv", "text,label\n,True\n,0\n,\n,a=b\n"),
    ],
)
def test_the_datas_own_labels_are_mapped_to_ours(tmp_path: Path, name: str, text: str) -> None:
    labels = Labels(map=label_map(["TRUE=sexual", "0=benign", "=hate", "a=b = nudity"]))
    assert [r.label for r in read(written(tmp_path, name, text), labels=labels)] == [
        "sexual",
        "benign",
        "hate",
        "nudity",
    ]
    assert labels.to_json()["map"] == {"true": "sexual", "0": "benign", "": "hate", "a=b": "nudity"}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["nsfw"], "write OWN=OURS"),
        (["nsfw="], "write OWN=OURS"),
        (["nsfw=sexual", "nsfw=benign"], "'nsfw' is mapped twice"),
        (["nsfw=spicy"], "--label-map nsfw=spicy: nobody said what 'spicy' means"),
    ],
)
def test_a_map_of_labels_that_leads_nowhere_is_refused(pairs: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Labels(map=label_map(pairs))


def test_a_harmful_prompt_is_paired_with_its_twin_by_text_or_by_id_before_or_after_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "d.csv",
        "text,label,id,pair_benign,pair\n"
        "calm sea,benign,1,,\n"
        "wild sea,sexual,2,calm sea,\n"
        "wild lake,sexual,3,5,\n"
        "wild lake 2,sexual,4,5,\n"
        "calm lake,benign,5,,\n"
        "calm sea,hate,6,,\n"
        "calm pond,benign,7,,\n"
        "calm fen,benign,8,,own\n",
    )
    assert [r.pair for r in read(path)] == ["pair-1", "pair-1", "pair-2", "pair-2", "pair-2", "", "", "own"]
    assert {r.pair for r in read(path, columns=Columns.of(["pair_benign=", "pair="]))} == {""}


def test_a_row_without_an_id_has_the_same_name_wherever_its_file_lies(tmp_path: Path) -> None:
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(written(tmp_path / folder, "d.csv", "text,label\nsea,benign\n"))
    assert [r.name for p in paths for r in read(p)] == ["d.csv:2", "d.csv:2"]
    assert [r.name for r in read(*paths)] == ["d.csv (1):2", "d.csv (2):2"]


def unnamed(path: Path) -> list[Row]:
    found = survey([path], Columns(), Labels())
    return [found.unnamed(row) for row in rows(found, Columns(), Labels())]


def test_rows_that_say_the_same_are_one_group(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "d.csv",
        "text,label,split_group\nwild sea,sexual,\ncalm,benign,\nwild sea,sexual,\nwild sea,sexual,a\n",
    )
    assert [r.group for r in unnamed(path)] == ["same-1", "", "same-1", "group-2"]


def test_a_group_and_a_pair_are_numbered_in_results_for_their_words_may_be_a_prompt(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "d.csv",
        "text,label,id,pair_benign,pair,split_group\n"
        f"calm sea,benign,1,,{SECRET},\nwild sea,sexual,2,,{SECRET},{SECRET}\n"
        f"wild fen,sexual,3,calm fen,,{SECRET}\ncalm fen,benign,4,,,other\n",
    )
    made = unnamed(path)
    assert [(r.group, r.pair) for r in made] == [
        ("", "own-pair-1"), ("group-2", "own-pair-1"), ("group-2", "pair-1"), ("group-3", "pair-1")
    ]  # fmt: skip


def test_a_twin_may_name_the_harmful_prompt_by_its_id(tmp_path: Path) -> None:
    path = written(
        tmp_path, "d.csv", "text,label,id,twin\nwild sea,sexual,1,\ncalm sea,benign,2,1\nwild fen,sexual,3,\n"
    )
    assert [r.pair for r in read(path, columns=Columns.of(["pair_benign=twin"]))] == ["pair-1", "pair-1", ""]


BROKEN: tuple[tuple[str, str, str | bytes, str], ...] = (
    ("not JSON", "d.jsonl", JSONL + '{"text": "violet harbour"', ":4:26: no JSON"),
    ("a list", "d.jsonl", '["violet harbour"]\n', ":1: no object"),
    ("deep", "d.jsonl", "[" * 100_000 + "\n", ":1: nested too deeply"),
    ("a number of 5,000 digits", "d.jsonl", '{"text": ' + "1" * 5_000 + "}\n", ":1: holds a number"),
    ("no text", "d.jsonl", '{"label": "benign"}\n', ":1: has no text in 'text' but the fields label; if"),
    (
        "a prompt as a field",
        "d.jsonl",
        f'{{"{SECRET}": 1, "prompt": "{SECRET}"}}\n',
        "has no text in 'text' but the fields prompt; if",
    ),
    (
        "semicolons in a text",
        "d.csv",
        f"text;label\n{SECRET};{SECRET};benign\n",
        "quotes around a text with semicolons",
    ),
    ("text is null", "d.jsonl", '{"text": null, "label": "benign"}\n', ":1: has no text in 'text'"),
    ("label is a list", "d.jsonl", '{"text": "", "label": ["benign"]}\n', ":1: 'label' holds a list"),
    ("label is unknown", "d.jsonl", '{"text": "", "label": "spicy"}\n', ":1: nobody said what the label 'spicy'"),
    ("label is absent", "d.jsonl", '{"text": ""}\n', ":1: nobody said what the label of 0"),
    ("label is a prompt", "d.jsonl", '{"text": "", "label": "violet harbour"}\n', "the label of 14 characters"),
    (
        "source is a prompt",
        "d.jsonl",
        f'{{"text": "", "label": "benign", "source": "{SECRET * 9}"}}\n',
        "--column source=",
    ),
    ("an id twice", "d.jsonl", JSONL + '{"text": "", "label": "benign", "id": "b"}\n', ":4: has the id of"),
    (
        "a field twice",
        "d.jsonl",
        f'{{"text": "", "text": "{SECRET}", "label": "benign"}}\n',
        ":1: an object names a fi",
    ),
    ("a column twice", "d.csv", f"text,label,text\n{SECRET},benign,\n", ":1: has two columns 'text'"),
    (
        "a twin in a list",
        "d.jsonl",
        f'{{"text": "", "label": "benign", "pair_benign": ["{SECRET}"]}}\n',
        "pair_benign=NAME",
    ),
    ("no UTF-8", "d.jsonl", JSONL.encode() + b"\xff\n", ":4: no UTF-8"),
    ("gzip cut off", "d.jsonl.gz", b"", "broken or cut off"),
    (
        "a column missing",
        "d.csv",
        "prompt,label\nviolet harbour,benign\n",
        ":1: has no column 'text' but prompt, label",
    ),
    ("values missing", "d.csv", "text,label\nviolet harbour,benign\nviolet harbour\n", ":3: 1 values for 2 columns"),
    ("quote left open", "d.csv", 'text,label\n"violet harbour,benign\n', ":2: no CSV"),
    ("nothing", "d.jsonl", "", "no rows in"),
    ("empty lines", "d.jsonl", "\n\n", "no rows in"),
    ("a head only", "d.csv", "text,label\n", "no rows in"),
    ("nothing at all", "d.csv", "", ":1: has no column 'text' but no column"),
)


@pytest.mark.parametrize(("name", "text", "said"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_what_is_wrong_is_named_and_no_prompt_is_repeated(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    path = written(tmp_path, name, text)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(JSONL.encode())[:-12])
    with pytest.raises(DataError) as error:
        read(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert SECRET not in str(error.value)


def test_an_id_twice_in_two_files_is_named_with_both_places_and_line_numbers_are_a_way_out(tmp_path: Path) -> None:
    a, b = (written(tmp_path, name, JSONL) for name in ("a.jsonl", "b.jsonl"))
    with pytest.raises(DataError, match=f"{b}:1: has the id of {a}:1"):
        read(a, b)
    assert {r.name for r in read(a, b, columns=Columns.of(["id="]))} == {
        f"{p.name}:{n}" for p in (a, b) for n in (1, 3)
    }


@pytest.mark.parametrize("limit", [1, 3, 7, 10, 25])
def test_a_limit_takes_that_many_rows_evenly_spread(tmp_path: Path, limit: int) -> None:
    paths = [
        written(tmp_path, f"{name}.jsonl", "".join(f'{{"text": "{name}{i}", "label": "{label}"}}\n' for i in range(5)))
        for name, label in (("a", "benign"), ("b", "sexual"))
    ]
    texts = [r.text for r in read(*paths, limit=limit)]
    assert len(texts) == min(limit, 10)
    assert sum(t.startswith("a") for t in texts) == min(limit, 10) // 2
    assert texts == sorted(set(texts))


def test_a_seed_draws_that_many_rows_in_their_order_and_each_seed_others(tmp_path: Path) -> None:
    path = written(tmp_path, "d.jsonl", "".join(f'{{"text": "{i}", "label": "benign"}}\n' for i in range(40)))
    found, columns, labels = survey([path], Columns(), Labels()), Columns(), Labels()
    drawn = [[int(r.text) for r in rows(found, columns, labels, 10, seed)] for seed in range(60)]
    assert drawn[7] == [int(r.text) for r in read(path, limit=10, seed=7)]
    assert all(len(set(d)) == 10 and d == sorted(d) for d in drawn)
    assert len({tuple(d) for d in drawn}) == 60
    # Each row is in a quarter of 60 samples: 15, with a standard deviation of 3.4.
    counts = [sum(i in d for d in drawn) for i in range(40)]
    assert 2 <= min(counts) <= max(counts) <= 29
    assert [r.text for r in read(path, limit=99, seed=1)] == [str(i) for i in range(40)]


def test_rows_with_no_text_and_rows_that_come_again_are_counted(tmp_path: Path) -> None:
    lines = [("a pier", "benign"), (" ", "benign"), ("a pier", "benign"), ("a pier", "sexual"), ("", "sexual")]
    path = written(tmp_path, "d.jsonl", "".join(json.dumps({"text": t, "label": w}) + "\n" for t, w in lines))
    found = survey([path], Columns(), Labels())
    assert (found.rows, found.empty, found.repeated) == (5, 2, 1)
    assert (
        "rows",
        "2 with an empty text; 1 with the text and the label of an earlier row (measured like all others)",
    ) in (told_data(found))


@pytest.mark.parametrize(
    ("names", "split", "shown"),
    [
        (["data/test-0-of-2.jsonl", "data/test-1-of-2.jsonl", "data/train-0-of-1.jsonl"], "test",
         ["set/data/test-0-of-2.jsonl", "set/data/test-1-of-2.jsonl"]),
        (["test.jsonl", "train.jsonl.gz"], "test", ["set/test.jsonl"]),
        (["default/test/0000.jsonl", "default/train/0000.jsonl"], "train", ["set/default/train/0000.jsonl"]),
        (["dataset_dict.json", "test/data-00000-of-00001.jsonl", "train/data-00000-of-00001.jsonl"], "test",
         ["set/test/data-00000-of-00001.jsonl"]),
    ],
)  # fmt: skip
def test_a_split_is_told_by_place_and_name(tmp_path: Path, names: list[str], split: str, shown: list[str]) -> None:
    for name in names:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        written(tmp_path, f"set/{name}", JSONL)
    columns, labels = Columns(id=""), Labels()
    found = survey([tmp_path / "set"], columns, labels, split)
    assert [file.shown for file in found.files] == shown
    assert (told_data(found)[0][1].partition(",")[0], found.split) == (shown[0], split)
    with pytest.raises(DataError, match=r"set has no split 'dev'; it has test, train: name one of these"):
        survey([tmp_path / "set"], columns, labels, "dev")


def test_a_file_that_changes_while_it_is_measured_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "d.jsonl", JSONL)
    reading = rows(survey([path], Columns(), Labels()), Columns(), Labels())
    next(reading)
    path.write_text(JSONL + '{"text": "", "label": "benign"}\n')
    with pytest.raises(DataError, match="was changed while it was measured"):
        list(reading)


def test_folders_are_searched_and_other_files_in_them_left_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    names = ["b.jsonl", "deep/a.csv.gz", "notes.txt", "report.json"]
    for name in names:
        written(tmp_path, name, JSONL)
    assert found_in([tmp_path]) == [tmp_path / "b.jsonl", tmp_path / "deep/a.csv.gz"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent.jsonl", "is not there"),
        ("d.pickle", "must end in one of"),
        ("empty", "holds no file"),
        ("twice", "given twice"),
    ],
)
def test_what_is_no_data_is_refused(tmp_path: Path, name: str, said: str) -> None:
    written(tmp_path, "d.pickle", "x")
    path = written(tmp_path, "d.jsonl", JSONL)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=said):
        found_in([path, tmp_path / "empty/../d.jsonl"] if name == "twice" else [tmp_path / name])


@pytest.mark.parametrize("pair", ["text", "txet=a", "text=", "label="])
def test_a_column_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(DataError, match="write FIELD=NAME"):
        Columns.of([pair])


def test_a_label_with_two_meanings_is_refused_but_a_default_may_be_claimed() -> None:
    assert Labels(block=("violence",)).role("violence") == "block"
    for both in ({"block": ("a",), "benign": ("a",)}, {"block": ("a",), "other": ("a",)}):
        with pytest.raises(DataError, match="label a is given two meanings"):
            Labels(**both)


def test_what_a_terminal_would_obey_is_escaped_in_names(tmp_path: Path) -> None:
    path = written(
        tmp_path, "d.jsonl", '{"text": "x", "label": "benign", "id": "\\u001b[2J\\u202e", "lang": "\\ud800"}\n'
    )
    (row,) = read(path)
    assert (row.id, row.lang) == ("\\u{1b}[2J\\u{202e}", "\\u{d800}")
