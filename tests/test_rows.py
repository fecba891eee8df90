"""Rows out: their schema, the three formats, and what is left when their writing is broken off."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fer import EXPRESSIONS, ExpressionPipeline, FaceState
from fer.errors import OutputError
from fer.files import refuse_inputs, refuse_leftovers, whole
from fer.rows import COLUMNS, make_rows, open_rows, read_rows
from tests.disks import small_files
from tests.synthetic import FaceVideo, portrait

ROOT = Path(__file__).parent.parent
SUFFIXES = [".csv", ".jsonl", ".parquet"]


@pytest.fixture(scope="module")
def rows():
    """A photograph with a face, and frames of a video with none."""
    photographs = ExpressionPipeline(live=False)
    nobody = next(FaceVideo(()).frames())
    return [
        *make_rows(photographs(portrait("astronaut")), "photo, with a comma.jpg"),
        *make_rows(photographs(nobody), "ünïcode.mp4", 7, 1 / 3),
    ]


def test_a_face_is_a_row_and_a_frame_without_one_is_too(rows):
    face, nobody = rows
    assert list(face) == list(nobody) == list(COLUMNS)
    assert (face["frame"], face["time_s"], face["face"]) == (0, 0.0, 0)
    assert (face["expression"], face["state"]) == ("happy", FaceState.OK)
    assert sum(face[expression.name] for expression in EXPRESSIONS) == pytest.approx(1, abs=0.001)
    assert face["confidence"] == face["happy"]
    x1, y1, x2, y2 = (face[name] for name in ("x1", "y1", "x2", "y2"))
    assert x1 < 225 < x2 and y1 < 115 < y2
    assert (nobody["frame"], nobody["time_s"]) == (7, 0.333333)
    assert all(nobody[name] is None for name in list(COLUMNS)[3:])


def test_rows_hold_no_password():
    nobody = ExpressionPipeline(live=False)(next(FaceVideo(()).frames()))
    assert make_rows(nobody, "rtsp://anna:hush@cam")[0]["source"] == "rtsp://…@cam"


def test_the_face_of_a_video_is_its_id():
    pipeline = ExpressionPipeline()
    ids = [
        make_rows(pipeline(frame, time_s), "a.mp4", number, time_s)[0]["face"]
        for number, (frame, _, time_s) in enumerate(FaceVideo(seconds=1))
    ]
    assert ids[-1] >= 0 and len(set(ids[2:])) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_come_back_as_they_were(tmp_path, rows, suffix):
    path = tmp_path / f"rows{suffix}"
    with open_rows(path) as file:
        for row in rows:
            file.write([row])
    expected = rows
    if suffix == ".csv":
        expected = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    assert list(read_rows(path)) == expected
    assert list(tmp_path.iterdir()) == [path]


def test_parquet_has_the_types_of_the_schema_even_without_a_face(tmp_path, rows):
    with open_rows(tmp_path / "rows.parquet") as file:
        file.write(rows[1:])
    names = {str: "string", int: "int64", float: "double"}
    schema = pq.read_schema(tmp_path / "rows.parquet")
    assert {field.name: str(field.type) for field in schema} == {
        name: names[kind] for name, kind in COLUMNS.items()
    }


def test_parquet_is_put_together_a_piece_at_a_time(tmp_path, rows, monkeypatch):
    monkeypatch.setattr("fer.rows._BLOCK_BYTES", 4096)
    with open_rows(tmp_path / "rows.parquet") as file:
        for _ in range(100):
            file.write(rows)
    table = pq.ParquetFile(tmp_path / "rows.parquet")
    assert table.metadata.num_rows == 200
    assert table.num_row_groups > 5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_row_is_on_the_disk_at_once_under_a_partial_name(tmp_path, rows, suffix):
    with open_rows(tmp_path / f"rows{suffix}") as file:
        file.write(rows)
        (partial,) = tmp_path.iterdir()
        assert partial.name == f"rows.partial{'.jsonl' if suffix == '.parquet' else suffix}"
        assert len(list(read_rows(partial))) == len(rows)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_error_amid_the_rows_keeps_those_before(tmp_path, rows, suffix):
    path = tmp_path / f"rows{suffix}"
    with pytest.raises(KeyError), open_rows(path) as file:
        file.write(rows)
        raise KeyError
    assert len(list(read_rows(path))) == len(rows)


def test_a_file_that_is_to_be_whole_is_dropped_at_an_error(tmp_path, rows):
    (tmp_path / "rows.csv").write_text("of an earlier day")
    with pytest.raises(KeyError), whole(open_rows(tmp_path / "rows.csv")) as file:
        file.write(rows)
        raise KeyError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of an earlier day"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_without_a_row_there_is_no_file(tmp_path, suffix):
    with open_rows(tmp_path / f"rows{suffix}"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_full_disk_keeps_the_rows_that_found_room(tmp_path, rows, suffix):
    path = tmp_path / f"rows{suffix}"
    written = 0
    with (
        small_files(64),
        pytest.raises(OutputError, match=r"no space left .* is kept"),
        open_rows(path) as file,
    ):
        while True:
            file.write(rows)
            written += len(rows)
    kept = list(read_rows(path))
    assert len(kept) == written > 10
    assert kept[-1]["source"] == rows[-1]["source"]


def test_a_full_disk_leaves_the_rows_of_parquet_readable(tmp_path, rows):
    file = open_rows(tmp_path / "rows.parquet")
    for _ in range(20):
        file.write(rows)
    with (
        small_files(1),
        pytest.raises(OutputError, match=r"rows are in .*rows\.partial\.jsonl"),
    ):
        file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["rows.partial.jsonl"]
    assert len(list(read_rows(tmp_path / "rows.partial.jsonl"))) == 20 * len(rows)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rows.txt", r"ends in \.csv or \.jsonl or \.parquet"),
        ("rows", r"ends in"),
        ("missing/rows.csv", "no such file or directory"),
        ("file/rows.csv", "not a directory"),
        ("folder.csv", "is a directory"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match=words) as caught:
        open_rows(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_without_pyarrow_parquet_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['pyarrow'] = None; from fer.rows import open_rows, Path; "
    code += f"open_rows(Path({str(tmp_path / 'a.parquet')!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "pip install pyarrow" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["talk.mp4", "./talk.mp4", "link.mp4"])
def test_no_input_is_overwritten(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("talk.mp4").write_text("")
    Path("link.mp4").symlink_to("talk.mp4")
    with pytest.raises(OutputError, match="choose another name"):
        refuse_inputs([None, Path(name)], ["talk.mp4"])
    refuse_inputs([Path("other.mp4")], ["talk.mp4", "0"])


def test_what_a_killed_run_has_left_is_not_overwritten(tmp_path):
    for name in ("a[1].partial.mp4", "a[1].partial.jsonl", "b.partial.mp4"):
        (tmp_path / name).write_text("half a film" * (name[0] == "a"))
    for name in ("a[1].mp4", "a[1].parquet"):
        with pytest.raises(OutputError, match="a run that was killed"):
            refuse_leftovers([None, tmp_path / name])
    refuse_leftovers([tmp_path / "b.mp4", tmp_path / "a.mp4"])
