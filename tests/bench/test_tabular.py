"""Parquet and Arrow files give the rows that a JSONL file gives, a batch at a time; what is broken is named."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guardrail.bench.data import Columns, DataError, Labels, Row, rows, survey
from guardrail.bench.files import found_in, records
from guardrail.errors import MissingExtra

SECRET = "violet harbour"  # stands in every prompt, and in no message
ROWS: dict[str, Any] = {
    "text": [f"{SECRET} 1", f"{SECRET} 2", f"{SECRET} 3"],
    "label": ["benign", "sexual", "benign"],
    "lang": ["en", None, "ko"],
    "id": [7, 8, 9],
    "tags": [["a"], [], None],  # of no use, and no hindrance
}
FORMATS = ("d.parquet", "stream.arrow", "file.arrow")


def written(path: Path, table: pa.Table, **options: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, **options)
    else:
        made = pa.ipc.new_file if path.name.startswith("file") else pa.ipc.new_stream
        with made(path, table.schema) as file:
            file.write_table(table, max_chunksize=2)
    return path


def saved(folder: Path, *tables: pa.Table, **state: Any) -> Path:
    """As `Dataset.save_to_disk` of datasets 5.2 lays a data set out."""
    names = [f"data-{i:05}-of-{len(tables):05}.arrow" for i in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        written(folder / name, table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": n} for n in names], **state}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def read(path: Path, columns: Columns | None = None, map: dict[str, str] | None = None) -> list[Row]:
    columns, labels = columns or Columns(), Labels(map=map or {})
    return list(rows(survey([path], columns, labels), columns, labels))


@pytest.mark.parametrize("name", FORMATS)
def test_the_rows_are_those_of_the_jsonl_file(tmp_path: Path, name: str) -> None:
    lines = (dict(zip(ROWS, values, strict=True)) for values in zip(*ROWS.values(), strict=True))
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = written(tmp_path / name, pa.table(ROWS))
    same = [row._replace(place="") for row in read(tmp_path / "d.jsonl")]
    assert [row._replace(place="") for row in read(path)] == same
    assert [row.place for row in read(path)] == [f"{name}:{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("name", FORMATS)
def test_labels_of_every_type_are_mapped(tmp_path: Path, name: str) -> None:
    words = pa.array(["0", "1", "0"])
    kinds = {
        "words": words,
        "numbers": pa.array([0, 1, 0], pa.int8()),
        "fractions": pa.array([0.0, 1.0, 0.0]),
        "coded": words.dictionary_encode(),
        "large": words.cast(pa.large_string()),
        "views": words.cast(pa.string_view()),
    }
    path = written(tmp_path / name, pa.table({"text": ROWS["text"], **kinds}))
    for kind in kinds:
        read_as = [row.role for row in read(path, Columns(label=kind), {"0": "benign", "1": "sexual"})]
        assert read_as == ["benign", "block", "benign"], kind


@pytest.mark.parametrize("name", FORMATS)
def test_true_and_false_are_labels_once_mapped_and_no_label_may_be_mapped_too(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, pa.table({**ROWS, "label": [False, True, None]}))
    told = {"false": "benign", "true": "sexual", "": "hate"}
    assert [row.label for row in read(path, map=told)] == ["benign", "sexual", "hate"]
    with pytest.raises(DataError, match=f"{path}:1: nobody said what the label 'false' means.*--label-map"):
        read(path)


@pytest.mark.parametrize("name", FORMATS)
def test_class_labels_of_hugging_face_give_the_names_of_their_classes(tmp_path: Path, name: str) -> None:
    features = {"label": {"names": ["benign", "sexual"], "_type": "ClassLabel"}, "id": {"_type": "Value"}}
    told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({**ROWS, "label": [1, 0, 1]}).replace_schema_metadata(told)
    assert [row.label for row in read(written(tmp_path / name, table))] == ["sexual", "benign", "sexual"]
    beyond = pa.table({**ROWS, "label": [1, 0, 2]}).replace_schema_metadata(told)
    with pytest.raises(DataError, match=r":3: 'label' holds the class 2, of which the file has no name"):
        read(written(tmp_path / name, beyond))
    odd = pa.table(ROWS).replace_schema_metadata({b"huggingface": b"[1]"})
    assert len(read(written(tmp_path / name, odd))) == 3


def twice(table: pa.Table) -> pa.Table:
    return pa.Table.from_arrays([*table.columns, table["text"]], names=[*table.column_names, "text"])


NO_UTF8 = pa.StringArray.from_buffers(3, pa.array([0, 1, 2, 3], pa.int32()).buffers()[1], pa.py_buffer(b"a\xffc"))
BROKEN: tuple[tuple[str, pa.Table, str], ...] = (
    ("no column", pa.table({"prompt": ROWS["text"], "label": ROWS["label"]}), ": has no column 'text' but prompt, lab"),
    ("a column twice", twice(pa.table(ROWS)), ": has two columns 'text': rename one"),
    ("lists", pa.table({**ROWS, "text": [[SECRET]] * 3}), ": the column 'text' holds lists"),
    ("objects", pa.table({**ROWS, "lang": [{SECRET: 1}] * 3}), ": the column 'lang' holds objects"),
    ("bytes", pa.table({**ROWS, "text": [SECRET.encode()] * 3}), ":1: has no text in 'text'"),
    ("no text", pa.table({**ROWS, "text": [SECRET, None, SECRET]}), ":2: has no text in 'text'"),
    ("a fraction", pa.table({**ROWS, "label": [1.0, 0.5, 1.0]}), ":1: nobody said what the label '1' means"),
    ("a date", pa.table({**ROWS, "lang": pa.array([1, 2, 3], pa.timestamp("s"))}), "--column lang=NAME"),
    ("no UTF-8", pa.table({**ROWS, "text": NO_UTF8}), ": "),
    ("a huge cell", pa.table({**ROWS, "text": [SECRET, SECRET, "x" * 900]}), ":3: 'text' is longer than"),
    ("no row", pa.table(ROWS).slice(0, 0), "no rows in"),
)


@pytest.mark.parametrize("name", FORMATS[:2])
@pytest.mark.parametrize(("table", "said"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_what_is_wrong_is_named_and_no_prompt_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, table: pa.Table, said: str
) -> None:
    monkeypatch.setattr("guardrail.bench.tabular.MOST_BYTES_IN_A_CELL", 800)
    path = written(tmp_path / name, table)
    with pytest.raises(DataError) as error:
        read(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("count", [40, pytest.param(1_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_an_error_of_the_data_and_nothing_else(tmp_path: Path, name: str, count: int) -> None:
    path = written(tmp_path / name, pa.table(ROWS))
    whole, draw, said = path.read_bytes(), random.Random(5), []
    for i in range(count):
        damaged = bytearray(whole)
        at = draw.randrange(len(whole))
        if i % 2 == 0:
            del damaged[at:]
        else:
            damaged[at] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            list(records(path, ("text", "label"), Columns().names))
        except DataError as error:
            said.append(str(error))
    assert len(said) > count // 3
    assert all(str(path) in message and SECRET not in message for message in said)


def test_a_text_that_is_written_once_for_many_rows_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded at once, the rows are 32 MiB."""
    monkeypatch.setattr("guardrail.bench.tabular._DECODED_BYTES", 4 << 20)
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 128, pa.int32()), pa.array(["x" * (256 << 10)]))
    # Without the schema of Arrow, which says that the texts be kept as a dictionary.
    path = written(tmp_path / "d.parquet", pa.table({"text": repeated, "label": ["benign"] * 128}), store_schema=False)
    before, held = pa.total_allocated_bytes(), []
    for _, record in records(path, ("text", "label")):
        assert len(record["text"]) == 256 << 10
        held.append(pa.total_allocated_bytes() - before)
    assert len(held) == 128
    assert max(held) < 20 << 20


def test_a_saved_data_set_is_what_its_state_lists(tmp_path: Path) -> None:
    one = saved(tmp_path / "one", pa.table(ROWS).slice(0, 2), pa.table(ROWS).slice(2))
    written(one / "cache-1234.arrow", pa.table(ROWS))
    assert [row.id for row in read(one)] == ["7", "8", "9"]
    splits = tmp_path / "splits"
    splits.mkdir()
    (splits / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    saved(splits / "test", pa.table(ROWS).slice(0, 1))
    saved(splits / "train", pa.table(ROWS).slice(1))
    assert [row.id for row in read(splits)] == ["7", "8", "9"]
    assert [row.id for row in read(splits / "train")] == ["8", "9"]
    for given in (splits, splits / "train"):
        (file,) = survey([given], Columns(), Labels(), "train").files
        assert file.rows == 2
        assert file.shown.endswith("train/data-00000-of-00001.arrow")


def test_a_snapshot_of_the_hub_is_read_through_its_links(tmp_path: Path) -> None:
    blob = written(tmp_path / "blobs" / "abc.parquet", pa.table(ROWS)).rename(tmp_path / "blobs" / "abc")
    snapshot = tmp_path / "snapshots" / "1" / "data"
    snapshot.mkdir(parents=True)
    (snapshot / "train-00000-of-00001.parquet").symlink_to(blob)
    (snapshot.parent / "README.md").write_text("---\nlicense: mit\n---\n")
    assert len(read(snapshot.parent)) == 3


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"_data_files": [{"filename": "../d.arrow"}]}, "does not list files of its own folder"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, "lists 'gone.arrow', which is not there"),
        ({"_data_files": [7]}, "does not list files"),
        ({"_indices_data_files": [{"filename": "i.arrow"}]}, "flatten_indices"),
    ],
)
def test_a_state_that_leads_elsewhere_is_refused(tmp_path: Path, state: dict[str, Any], said: str) -> None:
    folder = saved(tmp_path / "one", pa.table(ROWS), **state)
    with pytest.raises(DataError, match=said):
        found_in([folder])


def test_without_pyarrow_the_line_that_installs_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "d.parquet", pa.table(ROWS))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r'pip install "guardrail-diffusion\[bench\]"'):
        read(path)
