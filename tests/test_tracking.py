"""Ids that last, boxes that do not blink, and one average for each face."""

import numpy as np
import pytest
import supervision as sv

from fer.tracking import HOLD_S, UNKNOWN_ID, FaceTracker, ScoreSmoother

FPS = 30


def boxes(*corners, side=80):
    return sv.Detections(np.float32([[x, y, x + side, y + side] for x, y in corners]))


NOTHING = sv.Detections(np.empty((0, 4), np.float32))


def follow(tracker, detections, frames, start):
    """Show the same detections for some frames; return the last result and the next frame."""
    for frame in range(start, start + frames):
        result = tracker(detections, frame / FPS)
    return result, start + frames


def test_a_face_keeps_its_id_while_it_moves():
    tracker = FaceTracker()
    ids = [tracker(boxes((10 + 5 * i, 50)), i / FPS).tracker_id[0] for i in range(40)]
    assert len(set(ids) - {UNKNOWN_ID}) == 1
    assert UNKNOWN_ID not in ids[5:]


def test_two_faces_have_two_ids():
    result, _ = follow(FaceTracker(), boxes((10, 10), (300, 10)), 10, 0)
    assert len(set(result.tracker_id.tolist())) == 2


def test_a_face_that_is_missed_for_a_moment_stays():
    tracker = FaceTracker()
    before, frame = follow(tracker, boxes((50, 50)), 10, 0)
    missed = tracker(NOTHING, frame / FPS)
    assert missed.tracker_id.tolist() == before.tracker_id.tolist()
    assert np.allclose(missed.xyxy, before.xyxy)
    after = tracker(boxes((52, 50)), (frame + 1) / FPS)
    assert after.tracker_id.tolist() == before.tracker_id.tolist()


def test_a_face_that_left_is_gone_after_the_hold():
    tracker = FaceTracker()
    _, frame = follow(tracker, boxes((50, 50)), 10, 0)
    gone, _ = follow(tracker, NOTHING, int(HOLD_S * FPS) + 3, frame)
    assert len(gone) == 0
    assert gone.xyxy.shape == (0, 4)


def test_a_face_that_jumped_leaves_no_second_box_behind():
    tracker = FaceTracker()
    _, frame = follow(tracker, boxes((50, 50)), 10, 0)
    assert len(tracker(boxes((90, 60)), frame / FPS)) == 1


def test_scores_are_averaged_over_time_not_over_frames():
    old, new = np.eye(7, dtype=np.float32)[[3]], np.eye(7, dtype=np.float32)[[4]]
    slow, fast = ScoreSmoother(), ScoreSmoother()
    for smoother in (slow, fast):
        smoother(old, np.array([0]), 0.0)
    for i in range(1, 6):
        at_10 = slow(new, np.array([0]), i / 10)
    for i in range(1, 31):
        at_60 = fast(new, np.array([0]), i / 60)
    assert np.allclose(at_10, at_60, atol=1e-5)
    assert at_10.sum() == pytest.approx(1)
    assert at_10[0, 4] > 0.8


def test_the_average_of_one_face_is_not_that_of_another():
    smoother = ScoreSmoother()
    happy, sad = np.eye(7, dtype=np.float32)[[3, 4]]
    for i in range(10):
        both = smoother(np.stack([happy, sad]), np.array([1, 2]), i / FPS)
    swapped = smoother(np.stack([sad, happy]), np.array([2, 1]), 10 / FPS)
    assert np.allclose(both, np.stack([happy, sad]))
    assert np.allclose(swapped, np.stack([sad, happy]))


def test_a_face_without_an_id_is_not_averaged():
    smoother = ScoreSmoother()
    happy, sad = np.eye(7, dtype=np.float32)[[[3], [4]]]
    smoother(happy, np.array([UNKNOWN_ID]), 0.0)
    assert np.allclose(smoother(sad, np.array([UNKNOWN_ID]), 0.03), sad)


def test_a_face_that_comes_back_late_starts_afresh():
    smoother = ScoreSmoother()
    happy, sad = np.eye(7, dtype=np.float32)[[[3], [4]]]
    smoother(happy, np.array([0]), 0.0)
    assert np.allclose(smoother(sad, np.array([0]), 10.0), sad)
