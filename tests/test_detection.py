"""Faces that tilt to a shoulder."""

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
    found = detector.tilted(frame, boxes + 20)
    assert sv.box_iou_batch(found.xyxy, boxes).min() > 0.6
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
    y, x = np.argwhere(straight > 200).mean(axis=0)
    assert (x, y) != pytest.approx((90, 20), abs=5)
    box = np.float32([[x - 2, y - 2, x + 2, y + 2]])
    assert tilt_boxes(box, 30, picture.shape) == pytest.approx(
        np.float32([[88, 18, 92, 22]]), abs=1
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
