"""Whatever comes in: a result or an error of its kind, and never anything else.

The long form, with real files of each format, is `scripts/fuzz`.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fer import ExpressionPipeline
from fer.card import CARD_FILE, ModelCard, load_card
from fer.errors import FerError
from fer.media import FileSource
from fer.pictures import read_picture
from fer.preprocessing import INPUT_SIZE, crop_faces
from fer.rows import read_rows
from fer.training.datasets import load_dataset
from fer.training.ferplus import COLUMNS, VOTES_FILE, read_votes
from tests.command_line import ROOT
from tests.synthetic import portrait

few = settings(derandomize=True, deadline=None, max_examples=60)
PIPELINES = {live: ExpressionPipeline(live=live) for live in (True, False)}
SIGNATURES = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"RIFF\0\0\0\0",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def read_all(name: str, content: bytes, reader: Callable[[Path], object]) -> None:
    """Have a file read: any error must be of this package, and in one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            reader(path)
        except FerError as error:
            assert "\n" not in str(error) and name in str(error)


@few
@given(signature=st.sampled_from(SIGNATURES), rest=st.binary(max_size=200))
def test_bytes_that_begin_like_a_picture_are_read_or_refused(signature: bytes, rest: bytes) -> None:
    read_all("a.png", signature + rest, read_picture)
    read_all("a.png", signature + rest, lambda path: list(FileSource(str(path))))


lines = st.lists(st.text(alphabet='0123456789 ,."-\x00é\nTraining', max_size=60), max_size=6)


@few
@given(rows=lines)
@example(rows=['"' * 200_001])
@example(rows=["0,1 2 3,Training", "\udcff"])
def test_any_text_after_the_header_is_a_table_of_faces_or_refused(rows: list[str]) -> None:
    text = "\n".join(["emotion,pixels,Usage", *rows]).encode(errors="surrogateescape")
    read_all("fer2013.csv", text, load_dataset)
    header = ",".join(["Usage", "Image name", *COLUMNS])
    text = "\n".join([header, *rows]).encode(errors="surrogateescape")
    read_all(VOTES_FILE, text, lambda path: read_votes(path, len(rows)))


@few
@given(rows=lines)
@example(rows=["[" * 100_000])
def test_any_text_is_rows_or_refused(rows: list[str]) -> None:
    for suffix in (".csv", ".jsonl", ".parquet"):
        text = "\n".join(rows).encode(errors="surrogateescape")
        read_all(f"rows{suffix}", text, lambda path: list(read_rows(path)))


@few
@given(field=st.sampled_from(sorted(ModelCard.__dataclass_fields__)), value=json_values)
def test_a_card_with_any_value_in_any_field_is_loaded_or_refused(field: str, value: object) -> None:
    shipped = json.loads((ROOT / "model" / CARD_FILE).read_text())
    text = json.dumps(shipped | {field: value}).encode(errors="surrogateescape")
    read_all(CARD_FILE, text, lambda path: load_card(path.parent))


@few
@given(text=st.one_of(json_values.map(json.dumps), st.text()))
@example(text="[" * 100_000)
def test_any_text_is_a_card_or_refused(text: str) -> None:
    data = text.encode(errors="surrogateescape")
    read_all(CARD_FILE, data, lambda path: load_card(path.parent))


number = st.floats(width=32) | st.integers(-2000, 2000)
boxes = st.lists(st.tuples(number, number, number, number), max_size=4)


@few
@given(boxes=boxes)
@example(boxes=[(-1e9, -1e9, 1e9, 1e9), (1e9, 0, -1e9, 0), (500, 500, 400, 400)])
@example(boxes=[(0, 0, np.nan, 10)])
@example(boxes=[(0, 0, np.inf, 10)])
def test_a_box_anywhere_and_of_any_size_is_cut_or_refused(boxes: list) -> None:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    try:
        crops = crop_faces(portrait("astronaut"), xyxy)
    except ValueError as error:
        assert "expected boxes" in str(error)
        assert not (np.abs(xyxy) < 1e9).all()
    else:
        assert crops.shape == (len(xyxy), INPUT_SIZE, INPUT_SIZE)


frames = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3)),
    fill=st.integers(0, 255),
)


@few
@given(frame=frames, live=st.booleans())
def test_a_frame_of_any_size_is_read(frame: npt.NDArray[np.uint8], live: bool) -> None:
    detections = PIPELINES[live](frame)
    assert detections.data["scores"].shape == (len(detections), 7)
    assert np.isfinite(detections.data["scores"]).all()


@few
@given(
    frame=arrays.arrays(
        st.sampled_from([np.uint8, np.int8, np.uint16, np.float32, np.float64, bool]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_what_is_no_frame_is_a_value_error(frame: np.ndarray) -> None:
    good = frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3 and frame.size
    if not good:
        with pytest.raises(ValueError, match="expected a BGR image"):
            PIPELINES[True](frame)


LEAKS = """
import sys, threading, time
from importlib.machinery import SourceFileLoader

fuzz = sys.modules["fuzz"] = SourceFileLoader("fuzz", "scripts/fuzz").load_module()
kept = []

def leak(path):
    kept.append((bytes(20_000), path.open()))
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

fuzz.READERS["cards"] = (leak,)
if __name__ == "__main__":
    fuzz.main()
"""


def fuzz(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_hundred_damaged_files_are_read_or_refused_and_leave_nothing(tmp_path: Path) -> None:
    done = fuzz("scripts/fuzz", "--count", 120, "--seed", 1, "--keep", tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "120 files, 0 finds" in done.stdout


def test_a_reader_that_keeps_a_little_of_each_file_is_found(tmp_path: Path) -> None:
    script = tmp_path / "leaks.py"
    script.write_text(LEAKS)
    done = fuzz(script, "--count", 40, "--only", CARD_FILE, "--keep", tmp_path)
    assert done.returncode == 1
    assert "40 files, 1 finds" in done.stdout
    grown = "20 open files, 20 threads more after 20 more files"
    assert re.fullmatch(rf"cards: [4-9]\d\d kB of memory, {grown}\n", done.stderr)
