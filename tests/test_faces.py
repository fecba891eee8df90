"""The bars of each face, as HTML."""

import numpy as np
import supervision as sv

from fer import EXPRESSIONS, ExpressionPipeline, FaceState
from fer.expressions import EXPRESSION_NAMES
from fer.web.faces import faces_html
from fer.web.timeline import Timeline

HAPPY = EXPRESSION_NAMES.index("happy")


def detections(ids: list[int], tops: list[int]) -> sv.Detections:
    """Faces of which each shows one expression with 60 %."""
    scores = np.full((len(ids), len(EXPRESSIONS)), 0.4 / 6, np.float32)
    scores[np.arange(len(ids)), tops] = 0.6
    return sv.Detections(
        xyxy=np.tile([0.0, 0.0, 9.0, 9.0], (len(ids), 1)),
        confidence=scores.max(axis=1),
        class_id=np.array(tops),
        tracker_id=np.array(ids),
        data={
            "class_name": np.array(EXPRESSION_NAMES)[tops],
            "scores": scores,
            "state": np.array([FaceState.OK] * len(ids)),
        },
    )


def captions(html: str) -> list[str]:
    return [part.split("<")[0] for part in html.split("<caption>")[1:]]


def test_faces_keep_their_order_whatever_the_order_of_the_search() -> None:
    html = faces_html(detections([7, -1, 2], [3, 4, 0]))
    assert captions(html) == ["Face 1: angry 60 %", "Face 2: happy 60 %", "Face 3: sad 60 %"]


def test_each_probability_is_there_as_text_too() -> None:
    html = faces_html(detections([0], [HAPPY]))
    assert html.count("<td>7 %</td>") == 6 and html.count("<td>60 %</td>") == 1
    assert all(name in html and color in html for name, color in EXPRESSIONS)


def test_no_face_is_said_in_words() -> None:
    nobody = ExpressionPipeline()(np.zeros((480, 640, 3), np.uint8))
    assert "No face in view, or too far away." in faces_html(nobody)


def test_a_face_stands_over_its_own_last_minute() -> None:
    timeline = Timeline(1.0, 60)
    timeline.add(0.0, np.eye(7)[HAPPY])
    html = faces_html(detections([3, 5], [HAPPY, 0]), {5: timeline})
    assert html.count("fer-chart") == 1
    assert html.index("Face 2") < html.index("fer-chart")
    assert "a minute ago to now: happy 100 %" in html


def test_a_crowd_does_not_fill_the_page() -> None:
    html = faces_html(detections(list(range(9)), [HAPPY] * 9))
    assert len(captions(html)) == 4 and "And 5 more." in html
