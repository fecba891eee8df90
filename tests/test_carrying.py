"""Faces that are carried on from frame to frame without a search."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import supervision as sv

from fer import ExpressionPipeline
from fer.carrying import CARRY_S, FaceCarrier
from fer.detection import HaarFaceDetector
from fer.following import ASK_S, FaceFollower
from fer.tracking import FaceTracker
from tests.synthetic import Face, FaceVideo

FPS = 30
STILL = Face(sway=(0, 0))


def shot(face, **changes):
    """A frame of a face, and its box."""
    frame, boxes, _ = next(iter(FaceVideo((face,), **changes)))
    return frame, boxes


def found(boxes):
    """Faces as a search and the tracker give them."""
    return known(boxes, np.arange(len(boxes)))


def known(boxes, ids):
    """Upright faces of these ids."""
    ids = np.array(ids)
    return sv.Detections(np.float32(boxes), tracker_id=ids, data={"tilt": np.zeros(len(ids))})


def carry(frame, boxes, after, time_s=1 / FPS):
    """Where a face is in the second frame, by what was in the box in the first."""
    carrier = FaceCarrier()
    carrier.keep(frame, found(boxes), 0.0)
    carried, due = carrier(after, time_s)
    assert len(due) == 0
    return carried.xyxy


@pytest.mark.parametrize("side", [40, 150, 280])
@pytest.mark.parametrize("condition", [{}, {"noise": 15}, {"light": 0.3}, {"blur": 3}])
def test_a_face_that_moved_is_found_where_it_is(side, condition):
    step = 0.2 * side
    before = replace(STILL, side=side)
    after = replace(before, center=(320 + step, 240 - step))
    frame, boxes = shot(before, **condition)
    moved, expected = shot(after, **condition)
    [box] = carry(frame, boxes, moved)
    assert sv.box_iou_batch(box[np.newaxis], expected).item() > 0.85


@pytest.mark.parametrize(
    "other",
    [
        replace(STILL, changes=((0, ""),)),
        replace(STILL, portrait="hopper"),
        replace(STILL, side=190),
        replace(STILL, lean=30),
        replace(STILL, center=(560, 240)),
    ],
    ids=["gone", "another person", "nearer", "tilted", "far away"],
)
def test_what_looks_otherwise_is_left_to_a_search(other):
    frame, boxes = shot(STILL)
    assert carry(frame, boxes, shot(other)[0]).shape == (0, 4)


def test_each_of_several_faces_is_followed():
    faces = (Face(center=(160, 240)), Face("hopper", center=(480, 240)))
    video = iter(FaceVideo(faces, fps=FPS))
    frame, boxes, time_s = next(video)
    carrier = FaceCarrier()
    carrier.keep(frame, found(boxes), time_s)
    for frame, boxes, time_s in video:
        carried, due = carrier(frame, time_s)
        if time_s > CARRY_S:
            break
        assert carried.tracker_id.tolist() == [0, 1]
        assert sv.box_iou_batch(carried.xyxy, boxes).diagonal().min() > 0.8
    assert time_s < CARRY_S + 2 / FPS
    assert len(carried) == 0, "a search has to find it again"
    assert due.tracker_id.tolist() == [0, 1]
    assert sv.box_iou_batch(due.xyxy, boxes).diagonal().min() > 0.8


def test_a_face_that_is_carried_is_not_kept_twice():
    frame, boxes = shot(STILL)
    carrier = FaceCarrier()
    for _ in range(2):
        carrier.keep(frame, found(boxes), 0.0)
    assert len(carrier(frame, 1 / FPS)[0]) == 1


def test_a_face_that_turned_out_to_be_another_one_is_carried_as_that():
    frame, boxes = shot(STILL)
    carrier = FaceCarrier()
    for ids in ([0], [7]):
        carrier.keep(frame, known(boxes, ids), 0.0)
    assert carrier(frame, 1 / FPS)[0].tracker_id.tolist() == [7]


def test_a_face_that_leaves_the_picture_is_left_to_a_search():
    frame, boxes = shot(replace(STILL, center=(560, 240)))
    assert len(carry(frame, boxes, frame)) == 1
    assert len(carry(frame, boxes, shot(replace(STILL, center=(620, 240)))[0])) == 0


def test_a_box_over_the_edge_of_the_frame_is_not_carried():
    frame, boxes = shot(replace(STILL, center=(600, 240)))
    assert boxes[0, 2] > 640
    assert len(carry(frame, boxes, frame)) == 0


def test_a_frame_of_another_size_does_no_harm():
    frame, boxes = shot(STILL)
    for size in ((320, 240), (240, 320), (8, 8), (1, 1)):
        assert len(carry(frame, boxes, cv2.resize(frame, size))) == 0


def test_the_pipeline_searches_a_known_face_now_and_then_only(monkeypatch):
    pipeline, searched = ExpressionPipeline(), []
    look = pipeline.detector.look

    def search(frame, xyxy, *how):
        searched.append(len(xyxy))
        return look(frame, xyxy, *how)

    monkeypatch.setattr(pipeline.detector, "look", search)
    video = FaceVideo((Face(),), seconds=2, fps=FPS)
    faces = [len(pipeline(frame, time_s)) for frame, _, time_s in video]
    assert faces == [1] * len(faces)
    assert 5 <= sum(searched) <= 0.35 * len(faces)


def test_who_is_found_in_its_place_is_taken_for_who_was_there_but_not_for_long(monkeypatch):
    asked = []

    class Tracker(FaceTracker):
        def __call__(self, found, looks, time_s, **options):
            asked.append(time_s)
            return super().__call__(found, looks, time_s, **options)

    monkeypatch.setattr("fer.following.FaceTracker", Tracker)
    follower = FaceFollower(HaarFaceDetector())
    faces = (Face(center=(160, 240)), Face("hopper", center=(480, 240)))
    ids = set()
    for frame, _, time_s in FaceVideo(faces, seconds=3, fps=FPS):
        found = follower(frame, time_s)
        if asked[1:]:  # at first sight nobody is known
            ids.add(tuple(found.tracker_id[found.xyxy[:, 0].argsort()].tolist()))
    assert len(ids) == 1
    pauses = np.diff(asked[2:])
    assert len(pauses) >= 4
    assert pauses.max() < ASK_S + 2 / FPS
    assert np.median(pauses) > ASK_S - 1 / FPS, "a search alone asks nobody"


@pytest.mark.parametrize("search_always", [False, True])
def test_a_hit_that_is_no_face_is_not_carried_on(monkeypatch, search_always):
    frames = list(FaceVideo((), seconds=1, fps=FPS, noise=0).frames())
    pipeline = ExpressionPipeline(search_always=search_always)
    look, wrong = pipeline.detector.look, sv.Detections(np.float32([[200, 150, 300, 250]]))
    monkeypatch.setattr(pipeline.detector, "look", lambda *_: wrong)
    assert len(pipeline(frames[0], 0.0)) == 1
    monkeypatch.setattr(pipeline.detector, "look", look)
    shown = [len(pipeline(frame, number / FPS)) for number, frame in enumerate(frames[1:], 1)]
    assert sum(shown) == 0


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ([(104, 100, 204, 200)], {0: 104}),
        ([(80, 80, 220, 220), (115, 115, 185, 185)], {0: 80}),
        ([(304, 100, 404, 200)], {}),
    ],
    ids=["its own", "two in its place", "another's, who is there"],
)
def test_who_is_found_again_is_one_face_and_nobody_elses(monkeypatch, hits, expected):
    follower = FaceFollower(HaarFaceDetector())
    there = known([(300, 100, 400, 200)], [7])
    due = found([(100, 100, 200, 200)])
    answer = sv.Detections(np.float32(hits))
    monkeypatch.setattr(follower._detector, "look", lambda *_: answer)
    placed = follower._find_again(np.zeros((480, 640, 3), np.uint8), there, due)
    lefts = dict(zip(placed.tracker_id.tolist(), placed.xyxy[:, 0].tolist(), strict=True))
    assert lefts == {7: 300, **expected}
    assert len(placed) == len(lefts)
