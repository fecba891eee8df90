"""What is written beside a face, and where the frame is drawn."""

import numpy as np
import supervision as sv

from fer import ExpressionAnnotator, FaceState
from fer.annotation import describe


def face(state=FaceState.OK, box=(200, 150, 300, 250), scores=(0, 0, 0, 0.93, 0.04, 0.03, 0)):
    scores = np.float32([scores])
    return sv.Detections(
        xyxy=np.float32([box]),
        class_id=scores.argmax(axis=1),
        confidence=scores.max(axis=1),
        data={"class_name": np.array(["happy"]), "scores": scores, "state": np.array([state])},
    )


def test_a_sure_face_is_named_with_its_probability():
    assert describe(face()) == ["happy 93 %"]


def test_an_unsure_face_names_the_two_likeliest():
    scores = (0, 0, 0.33, 0, 0.36, 0.31, 0)
    assert describe(face(FaceState.UNSURE, scores=scores)) == ["unsure: sad or fear"]


def test_a_face_that_cannot_be_read_says_why():
    assert describe(face(FaceState.DARK)) == ["too dark"]
    assert describe(face(FaceState.SMALL)) == ["too small"]


def test_the_box_is_drawn_on_the_scene_itself():
    scene = np.zeros((480, 640, 3), np.uint8)
    assert ExpressionAnnotator().annotate(scene, face()) is scene
    assert scene[250, 250].any() and scene[200, 200].any() and scene[200, 300].any()
    assert not scene[200, 250].any(), "the face itself stays free"


def test_nothing_is_drawn_without_a_face():
    scene = np.full((480, 640, 3), 7, np.uint8)
    ExpressionAnnotator().annotate(scene, face()[:0])
    assert (scene == 7).all()


def test_faces_at_the_edges_of_a_small_frame_can_be_drawn():
    scene = np.zeros((120, 160, 3), np.uint8)
    ExpressionAnnotator(120).annotate(scene, face(box=(-20, -20, 60, 60)))
    ExpressionAnnotator(120).annotate(scene, face(box=(120, 80, 200, 160)))
    assert scene.any()
