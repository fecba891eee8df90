"""Ids that last, and boxes that do not blink."""

import numpy as np
import supervision as sv

from fer.remembering import HOLD_S, TURNED_HOLD_S, take_looks
from fer.tracking import FORGET_S, UNKNOWN_ID, WAIT_S, FaceTracker

FPS = 30
RANDOM = np.random.default_rng(0)
ANN, BOB, CARL = take_looks(RANDOM.integers(0, 256, (3, 48, 48)).astype(np.uint8))
ASIDE = np.full_like(ANN, np.nan)


def boxes(*corners, side=80):
    return sv.Detections(np.float32([[x, y, x + side, y + side] for x, y in corners]))


NOTHING = sv.Detections(np.empty((0, 4), np.float32))


def see(tracker, detections, frame, *looks):
    """Show detections in a frame; by default Ann, then Bob."""
    looks = looks or (ANN, BOB)[: len(detections)]
    if detections.tracker_id is None:
        detections.tracker_id = np.full(len(detections), UNKNOWN_ID)
    detections.data.setdefault("tilt", np.zeros(len(detections)))
    return tracker(detections, np.reshape(looks, (-1, 64)), frame / FPS)


def follow(tracker, detections, frames, start, *looks):
    """Show the same detections for some frames; return the last result and the next frame."""
    for frame in range(start, start + frames):
        result = see(tracker, detections, frame, *looks)
    return result, start + frames


def test_a_face_keeps_its_id_while_it_moves():
    tracker = FaceTracker()
    ids = [see(tracker, boxes((10 + 5 * i, 50)), i).tracker_id[0] for i in range(40)]
    assert len(set(ids) - {UNKNOWN_ID}) == 1
    assert UNKNOWN_ID not in ids[5:]


def test_two_faces_have_two_ids():
    result, _ = follow(FaceTracker(), boxes((10, 10), (300, 10)), 10, 0)
    assert len(set(result.tracker_id.tolist())) == 2


def test_a_face_that_is_missed_for_a_moment_stays():
    tracker = FaceTracker()
    before, frame = follow(tracker, boxes((50, 50)), 10, 0)
    missed = see(tracker, NOTHING, frame)
    assert missed.tracker_id.tolist() == before.tracker_id.tolist()
    assert np.allclose(missed.xyxy, before.xyxy)
    after = see(tracker, boxes((52, 50)), frame + 1)
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
    assert len(see(tracker, boxes((90, 60)), frame)) == 1


def test_a_face_that_comes_back_elsewhere_is_itself_again():
    tracker = FaceTracker()
    _, frame = follow(tracker, boxes((50, 50), (300, 50)), 10, 0)
    _, frame = follow(tracker, boxes((300, 50)), FPS, frame, BOB)
    assert tracker.misses
    back, _ = follow(tracker, boxes((300, 50), (500, 200)), 2, frame, BOB, ANN)
    assert sorted(back.tracker_id.tolist()) == [0, 1]
    assert not tracker.misses


def test_a_face_that_comes_back_late_is_new():
    tracker = FaceTracker()
    _, frame = follow(tracker, boxes((50, 50)), 10, 0)
    _, frame = follow(tracker, NOTHING, round((FORGET_S + 0.1) * FPS), frame)
    back, _ = follow(tracker, boxes((50, 50)), 2, frame)
    assert back.tracker_id.tolist() == [1]


def test_another_face_in_the_place_of_one_that_left_is_new_and_has_to_wait():
    tracker = FaceTracker()
    _, frame = follow(tracker, boxes((50, 50)), 10, 0)
    _, frame = follow(tracker, NOTHING, FPS // 2, frame)
    first, _ = follow(tracker, boxes((50, 50)), round(WAIT_S * FPS) - 1, frame, CARL)
    assert first.tracker_id.tolist() == [UNKNOWN_ID]
    later, _ = follow(tracker, boxes((50, 50)), FPS // 2, frame + round(WAIT_S * FPS), CARL)
    assert later.tracker_id.tolist() == [1]


def test_ids_follow_the_looks_where_the_motion_is_wrong():
    """Two faces change places from one frame to the next."""
    tracker = FaceTracker()
    before, frame = follow(tracker, boxes((50, 50), (150, 50)), 10, 0, ANN, BOB)
    after = see(tracker, boxes((50, 50), (150, 50)), frame, BOB, ANN)
    places = [
        dict(zip(result.xyxy[:, 0].tolist(), result.tracker_id.tolist(), strict=True))
        for result in (before, after)
    ]
    assert places == [{50.0: 0, 150.0: 1}, {50.0: 1, 150.0: 0}]


def test_who_is_said_to_be_in_a_place_is_believed_where_it_looks_so():
    tracker = FaceTracker()
    before, frame = follow(tracker, boxes((10, 10), (300, 10)), 10, 0)
    ann, bob = before.tracker_id.tolist()
    far = boxes((100, 300), (400, 300))  # where no motion led them
    far.tracker_id = np.array([ann, bob])
    assert see(tracker, far, frame).tracker_id.tolist() == [ann, bob]
    far.tracker_id = np.array([bob, ann])
    assert see(tracker, far, frame + 1).tracker_id.tolist() == [ann, bob]


def test_a_face_that_changes_slowly_stays_itself():
    tracker = FaceTracker()
    for frame in range(6 * FPS):
        share = frame / (6 * FPS)
        look = (1 - share) * ANN + share * BOB
        result = see(tracker, boxes((50, 50)), frame, look / np.linalg.norm(look))
    assert result.tracker_id.tolist() == [0]


def test_a_face_that_turns_away_keeps_its_id_until_it_turns_back():
    tracker = FaceTracker()
    _, frame = follow(tracker, boxes((50, 50)), 10, 0)
    blink = see(tracker, boxes((52, 50)), frame, ASIDE)
    assert not blink.data["turned"].any() and not blink.data["read"].any()
    away, frame = follow(tracker, boxes((52, 50)), 3 * FPS, frame + 1, ASIDE)
    assert away.tracker_id.tolist() == [0] and away.data["turned"].all()
    missed, frame = follow(tracker, NOTHING, round(TURNED_HOLD_S * FPS) - 1, frame)
    assert missed.data["turned"].tolist() == [True]
    back = see(tracker, boxes((50, 50)), frame)
    assert back.tracker_id.tolist() == [0]
    assert not back.data["turned"].any() and back.data["read"].all()


def test_nobody_is_known_by_a_profile_alone():
    result, _ = follow(FaceTracker(), boxes((50, 50)), 10, 0, ASIDE)
    assert len(result) == 0
