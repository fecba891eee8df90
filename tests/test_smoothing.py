"""One average and one label for each face, which lasts."""

import numpy as np
import pytest

from fer.smoothing import LabelHolder, ScoreSmoother
from fer.tracking import FORGET_S, UNKNOWN_ID

FPS = 30
HAPPY, SAD = np.eye(7, dtype=np.float32)[[[3], [4]]]
ONE = np.array([0])


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


def test_a_face_that_comes_back_goes_on_from_its_old_average():
    smoother = ScoreSmoother()
    smoother(HAPPY, ONE, 0.0)
    back = smoother(SAD, ONE, 1.0)
    assert back[0, 3] > 0.4


def test_a_face_that_comes_back_late_starts_afresh():
    smoother = ScoreSmoother()
    smoother(HAPPY, ONE, 0.0)
    assert np.allclose(smoother(SAD, ONE, FORGET_S + 1), SAD)


def test_a_face_that_cannot_be_read_keeps_its_average():
    smoother = ScoreSmoother()
    smoother(HAPPY, ONE, 0.0)
    for frame in range(10 * FPS):
        unread = smoother(np.full_like(HAPPY, np.nan), ONE, frame / FPS)
    assert np.allclose(unread, HAPPY)


def scores(happy, sad):
    return np.float32([[0, 0, 0, happy, sad, 0, 1 - happy - sad]])


def test_a_label_stays_while_another_one_is_no_more_than_now_and_then_ahead():
    holder = LabelHolder()
    for frame in range(20 * FPS):
        now = scores(0.42, 0.4) if (frame + 1) % 3 else scores(0.4, 0.43)
        assert holder(now, ONE, frame / FPS).tolist() == [3]


@pytest.mark.parametrize("fps", [10, 15, 30])
def test_two_labels_that_are_as_likely_do_not_take_turns(fps):
    """A minute of two labels of which now one, now the other is ahead, by chance."""
    random = np.random.default_rng(0)
    smoother, holder, raw, held = ScoreSmoother(), LabelHolder(), [], []
    for frame in range(60 * fps):
        happy = random.normal(0.42, 0.1)
        now = scores(happy, 0.84 - happy)
        raw.append(int(now.argmax()))
        held.append(int(holder(smoother(now, ONE, frame / fps), ONE, frame / fps)[0]))
    flicker, changes = (np.count_nonzero(np.diff(labels)) for labels in (raw, held))
    assert flicker >= 240
    assert changes <= flicker / 5


@pytest.mark.parametrize(("lead", "within_s"), [(0.8, 0.05), (0.2, 0.15), (0.05, 0.5)])
@pytest.mark.parametrize("fps", [10, 15, 30])
def test_the_clearer_another_label_leads_the_sooner_it_is_taken(lead, within_s, fps):
    holder = LabelHolder()
    holder(scores(0.9, 0.1), ONE, 0.0)
    times = np.arange(1, 2 * fps) / fps
    labels = [int(holder(scores(0.5 - lead / 2, 0.5 + lead / 2), ONE, t)[0]) for t in times]
    assert times[labels.index(4)] <= within_s + 1 / fps
    assert 3 not in labels[labels.index(4) :]


def test_the_label_of_a_face_without_an_id_is_not_held():
    holder, nobody = LabelHolder(), np.array([UNKNOWN_ID])
    assert holder(HAPPY, nobody, 0.0).tolist() == [3]
    assert holder(SAD, nobody, 0.01).tolist() == [4]
