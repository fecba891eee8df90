"""Faces that tilt to a shoulder."""

import cv2
import numpy as np
import pytest
import supervision as sv

from fer import ExpressionPipeline, FaceState
from fer.detection import TILT, HaarFaceDetector
from fer.places import straighten, tilt_boxes
from fer.tracking import UNKNOWN_ID
from tests.synthetic import Face, FaceVideo


def shot(*faces):
    """A frame of faces, and their boxes."""
    frame, boxes, _ = next(iter(FaceVideo(faces)))
    return frame, boxes


@pytest.mark.parametrize("portrait", ["astronaut", "hopper"])
@pytest.mark.parametrize("lean", [-35, -25, 25, 35])
def test_a_tilted_face_is_found_where_it_was(portrait, lean):
    detector = HaarFaceDetector()
    frame, boxes = shot(Face(portrait, sway=(0, 0), lean=lean))
    assert len(detector.look(frame, boxes)) == 0
    found = detector.tilted(frame, boxes + 30)
    assert sv.box_iou_batch(found.xyxy, boxes).min(initial=1) > 0.8, "at most 0.75 if not led back"
    assert found.data["tilt"].tolist() == [np.sign(lean) * TILT]


@pytest.mark.parametrize("face", [Face(changes=((0, ""),)), Face(lean=90), Face("photographer")])
def test_what_is_no_tilted_face_is_not_taken_for_one(face):
    frame, boxes = shot(face)
    for places in (boxes, np.empty((0, 4), np.float32)):
        found = HaarFaceDetector().tilted(frame, places)
        assert found.xyxy.shape == (0, 4)
        assert found.data["tilt"].shape == (0,)


def test_a_box_is_led_back_to_what_it_was_round_before_the_picture_was_straightened():
    picture = np.zeros((90, 120), np.uint8)
    picture[18:23, 88:93] = 255
    [straight] = straighten(picture[np.newaxis], [30])
    moments = cv2.moments(straight)
    x, y = (moments[axis] / moments["m00"] + 0.5 for axis in ("m10", "m01"))  # from the edge
    assert (x, y) != pytest.approx((90.5, 20.5), abs=5)
    box = np.float32([[x - 2.5, y - 2.5, x + 2.5, y + 2.5]])
    assert tilt_boxes(box, 30, picture.shape) == pytest.approx(
        np.float32([[88, 18, 93, 23]]), abs=0.1
    )


def test_who_tilts_keeps_id_box_and_label():
    pipeline, ids, labels, states = ExpressionPipeline(), set(), set(), set()
    for frame, boxes, time_s in FaceVideo((Face(tilt=35),), seconds=6, fps=15):
        result = pipeline(frame, time_s)
        assert sv.box_iou_batch(result.xyxy, boxes).max() > 0.5
        ids |= {*result.tracker_id.tolist()}
        labels |= {*result.data["class_name"].tolist()}
        states |= {*result.data["state"].tolist()}
    assert len(ids - {UNKNOWN_ID}) == 1
    assert labels == {"happy"}
    assert states == {FaceState.OK}


def test_a_face_that_tilts_is_read_upright():
    """Crooked, Hopper is angry, fearful or unsure; the astronaut is happy at any angle."""
    face = Face("hopper", tilt=33, sway=(0, 0), period_s=6)
    pipeline, read = ExpressionPipeline(), []
    for frame, _, time_s in FaceVideo((face,), seconds=6, fps=15):
        result = pipeline(frame, time_s)
        if abs(face.at(time_s)[3]) > 20:
            read += zip(result.data["class_name"].tolist(), result.data["state"], strict=True)
    assert len(read) >= 30
    assert {*read} == {("neutral", FaceState.OK)}


def test_the_attention_of_a_tilted_face_is_turned_with_it(monkeypatch):
    pipeline = ExpressionPipeline()
    faces = sv.Detections(
        np.float32([[250, 150, 400, 300]] * 3),
        tracker_id=np.arange(3),
        data={"read": np.full(3, True), "tilt": np.array([TILT, -TILT, 0])},
    )
    scores, maps = np.eye(7, dtype=np.float32)[[0, 0, 0]], np.zeros((3, 6, 6, 7), np.float32)
    maps[:, 0, 3, 0] = 0.2  # at the top, a little to the right
    monkeypatch.setattr(pipeline, "follower", lambda *_, **__: faces)
    monkeypatch.setattr(pipeline.classifier, "read", lambda _: (scores, maps))
    attention = pipeline(shot()[0], 0.0).data["attention"]
    places = [np.unravel_index(part.argmax(), part.shape) for part in attention]
    assert places == [(0, 2), (0, 4), (0, 3)]
    assert attention.max(axis=(1, 2)).tolist() == [1, 1, 1]
    assert attention.min() == 0
