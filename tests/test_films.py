"""Reading films from beginning to end; `tests/test_cli_media.py` has their files."""

import threading
from contextlib import closing

import pytest

from fer import FaceView, OutputError
from fer.expressions import FaceState
from fer.films import NOT_CERTAIN, FilmSummary, FilmTask, read_film
from fer.media import open_source
from fer.rows import read_rows
from tests.films import even_times, write_film


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "face.mp4", even_times(3, 10))


def test_who_stops_reading_keeps_what_was_read_until_then(film, tmp_path):
    task = FilmTask(str(film), tmp_path / "copy.mp4", tmp_path / "rows.csv", name="a film")
    with closing(read_film(task)) as reading:
        for _ in range(10):
            next(reading)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.mp4", "rows.csv"]
    with open_source(str(task.copy)) as frames:
        assert len(list(frames)) == 10
    assert {row["source"] for row in read_rows(task.rows)} == {"a film"}
    assert len(list(read_rows(task.rows))) == 10
    assert "decoder" not in [thread.name for thread in threading.enumerate()]


def test_hidden_faces_are_looked_for_in_every_frame(film, tmp_path):
    with pytest.raises(OutputError, match="every"):
        FilmTask(str(film), tmp_path / "copy.mp4", faces=FaceView.BLUR, every=2)


def test_a_summary_counts_what_was_told_and_what_was_not():
    def row(face, expression=None, state=None):
        return {"time_s": 0.1, "face": face, "expression": expression, "state": state}

    summary = FilmSummary()
    assert sum(summary.shares().values()) == 0
    summary.add([row(0, "happy", FaceState.OK), row(1, "sad", FaceState.DARK)])
    summary.add([row(0, "happy", FaceState.OK), row(1, "angry", FaceState.OK)])
    summary.add([row(None)])
    assert (summary.frames, summary.frames_with_face, summary.states.total()) == (3, 2, 4)
    shares = summary.shares()
    assert (shares["happy"], shares["angry"], shares["sad"]) == (0.5, 0.25, 0)
    assert shares[NOT_CERTAIN] == 0.25
