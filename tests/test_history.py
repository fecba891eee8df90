"""What is kept of a stream: rows, shares and timelines, in bounded room."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import supervision as sv

from fer.expressions import EXPRESSION_NAMES, EXPRESSIONS, FaceState
from fer.rows import read_rows
from fer.web import history as module
from fer.web.history import History
from fer.web.summary import summary_html
from tests.disks import small_files

HAPPY, SAD = EXPRESSION_NAMES.index("happy"), EXPRESSION_NAMES.index("sad")


def faces(*seen: tuple[int, int, FaceState]) -> sv.Detections:
    """What a pipeline says of faces with an id, an expression and a state."""
    class_id = np.array([expression for _, expression, _ in seen], int)
    scores = np.full((len(seen), len(EXPRESSIONS)), 0.05, np.float32)
    scores[np.arange(len(seen)), class_id] = 0.7
    return sv.Detections(
        xyxy=np.tile(np.float32([0, 0, 9, 9]), (len(seen), 1)),
        confidence=scores.max(axis=1, initial=0),
        class_id=class_id,
        tracker_id=np.array([face for face, _, _ in seen], int),
        data={
            "class_name": np.array(EXPRESSION_NAMES)[class_id],
            "scores": scores,
            "state": np.array([state for _, _, state in seen], object),
        },
    )


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "rows.csv", "camera")
    yield history
    history.close()


ONE = (0, HAPPY, FaceState.OK)


@pytest.mark.parametrize("fps", [11, 15, 30])
def test_rows_are_written_five_times_a_second(history: History, fps: int) -> None:
    for frame in range(10 * fps):  # each comes a little late, as over a network
        history.add(faces(ONE), 1000 + frame / fps + 0.004 * (frame % 3))
    history.close()
    rows = list(read_rows(history.rows))
    times = np.array([float(row["time_s"]) for row in rows])
    assert len(rows) == pytest.approx(50, abs=1) and times[0] == 0
    assert (np.diff(times) > 0.1).all()
    assert {row["source"] for row in rows} == {"camera"}
    assert history.seconds == pytest.approx(10, abs=0.1)


def test_rows_name_their_frames(history: History) -> None:
    for frame in range(30):
        history.add(faces(ONE), frame / 30)
    history.close()
    numbers = [(int(row["frame"]), float(row["time_s"])) for row in read_rows(history.rows)]
    assert numbers == [(frame, pytest.approx(frame / 30, abs=1e-3)) for frame, _ in numbers]


def test_the_summary_counts_what_could_be_told_and_why_not(history: History) -> None:
    states = [FaceState.OK] * 6 + [FaceState.DARK] * 3 + [FaceState.UNSURE]
    for second, state in enumerate(states):
        history.add(faces((0, HAPPY if second < 4 else SAD, state)), second)
    html = summary_html(history)
    assert "In 0:09 of video the program saw" in html
    assert "<td>40 %</td>" in html and "<td>20 %</td>" in html
    assert "Not certain: 40 % (too dark 30 %, unsure 10 %)." in html
    # An unsure face has probabilities, a dark one has none to rely on.
    read = history.whole.columns().any(axis=1)
    assert read.tolist() == [True] * 6 + [False] * 3 + [True]


def test_a_stream_without_a_face_says_so(history: History) -> None:
    history.add(faces(), 0.0)
    history.add(faces(), 61.0)
    assert "No face was seen in 1:01 of video." in summary_html(history)


def test_each_face_has_its_own_last_minute(history: History) -> None:
    for second in range(5):
        history.add(faces(ONE, (1, SAD, FaceState.OK), (-1, SAD, FaceState.OK)), second)
    assert set(history.faces) == {0, 1}, "a face at its first sight is nobody's yet"
    assert history.faces[0].columns()[-1, HAPPY] == pytest.approx(0.7)
    assert history.faces[1].columns()[-1, SAD] == pytest.approx(0.7)


def test_a_crowd_that_passes_takes_no_more_and_more_memory(history: History) -> None:
    for second in range(200):
        history.add(faces(ONE, (second + 1, SAD, FaceState.OK)), second)
    assert len(history.faces) == 20
    assert 0 in history.faces, "who stays is not forgotten"
    assert max(history.faces) == 200


def test_there_is_a_limit_to_the_rows(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    for second in range(5):
        history.add(faces(ONE), second)
    history.close()
    assert len(list(read_rows(history.rows))) == 3
    assert history.full and history.summary.frames == 5


def test_a_full_disk_ends_the_rows_and_nothing_else(tmp_path: Path) -> None:
    with small_files(4):
        history = History(tmp_path / "rows.csv", "camera")
        for second in range(100):
            history.add(faces(ONE), second)
        history.close()
        assert history.full and history.summary.frames == 100
        rows = list(read_rows(history.rows))
        assert 10 < len(rows) < 100
        assert all(row["neutral"] for row in rows), "no row is cut off"


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "gone" / "rows.csv", "camera")
    history.add(faces(ONE), 0.0)
    history.close()
    assert history.full and history.summary.frames == 1
