"""Playing a source in a thread of its own: its pace, its end, and that the source is let go of."""

import itertools
import time

import numpy as np
import pytest

from fer import ExpressionPipeline, SourceError, playback, returning
from fer.media import Source
from fer.playback import FrameRate, Pace, Player
from tests.waiting import PATIENCE_S, wait_for


class FakeCamera(Source):
    """Gives numbered frames, as fast as they are taken, and may fail after some of them."""

    live = True
    opened = 0

    def __init__(self, frames=None):
        self.frames, self.given, self.closed = frames, 0, False
        FakeCamera.opened += 1

    def __iter__(self):
        for number in itertools.count() if self.frames is None else range(self.frames):
            self.given += 1
            frame = np.zeros((48, 64, 3), np.uint8)
            frame[:, 32:] = 255
            yield frame, number / 30
        raise SourceError("The camera is gone.")

    def close(self):
        self.closed = True
        FakeCamera.opened -= 1


class SeesNothing:
    """A pipeline that finds no face."""

    def __init__(self, model=None):
        self.nothing = ExpressionPipeline(live=False)(np.zeros((48, 48, 3), np.uint8))

    def __call__(self, frame, time_s):
        time.sleep(0.001)
        return self.nothing

    def reset(self):
        pass


@pytest.fixture
def camera(monkeypatch):
    """The cameras that were opened."""
    opened = []

    def open_camera(source):
        assert FakeCamera.opened == 0, "a camera is opened by one at a time"
        opened.append(FakeCamera(3 if source == "3" else None))
        return opened[-1]

    monkeypatch.setattr(returning, "open_source", open_camera)
    monkeypatch.setattr(playback, "ExpressionPipeline", SeesNothing)
    return opened


def test_only_the_newest_frame_is_kept_and_the_camera_is_released(camera):
    player = Player("0", None, None, None)
    player.start()
    wait_for(lambda: camera and camera[0].given > 50, "frames")
    assert player.newest.scene.shape == (48, 64, 3) and player.newest.rate > 0
    player.stop()
    player.join(PATIENCE_S)
    assert not player.is_alive() and camera[0].closed


@pytest.mark.parametrize(("mirror", "left"), [(None, 255), (True, 255), (False, 0)])
def test_a_camera_is_mirrored_unless_it_is_not_wanted(camera, mirror, left):
    player = Player("0", None, mirror, None)
    player.start()
    wait_for(lambda: player.newest, "a frame")
    player.stop()
    player.join(PATIENCE_S)
    assert player.newest.scene[40, 5].tolist() == [left] * 3


def test_a_camera_that_vanishes_is_looked_for_until_it_is_back(camera, monkeypatch):
    monkeypatch.setattr(playback, "RETRY_S", 0.05)
    player = Player("3", None, None, None)
    player.start()
    wait_for(lambda: player.newest and player.newest.lost, "the loss")
    assert not len(player.newest.detections) and player.newest.rate == 0
    wait_for(lambda: len(camera) > 3, "three that came back for three frames each")
    assert player.is_alive() and all(one.closed for one in camera[:3])
    player.stop()
    player.join(PATIENCE_S)
    assert not player.is_alive() and camera[-1].closed


def test_a_lost_camera_shows_no_face_by_the_schema_of_every_result():
    frames = [(np.zeros((48, 64, 3), np.uint8), 0.0), (None, 1.0)]
    seen, lost = playback.play(frames, SeesNothing(), live=True)
    assert lost.lost and not len(lost.detections)
    assert lost.detections.data.keys() == seen.detections.data.keys() != set()
    assert lost.detections.data["scores"].shape == (0, 7)


def test_what_is_drawn_has_the_size_that_a_camera_comes_back_with():
    made = []

    class Annotator:
        def __init__(self, height):
            made.append(height)

        def annotate(self, frame, detections):
            return frame

    small, large = np.zeros((48, 64, 3), np.uint8), np.zeros((96, 128, 3), np.uint8)
    frames = [small, small, None, large, large, small]
    timed = [(frame, float(number)) for number, frame in enumerate(frames)]
    played = playback.play(timed, SeesNothing(), live=True, make_annotator=Annotator)
    assert [one.scene.shape[0] for one in played] == [48, 48, 48, 96, 96, 48]
    assert made == [48, 96, 48]


def test_a_player_that_is_stopped_does_not_wait_for_a_lost_camera(monkeypatch):
    cameras = [FakeCamera(3)]

    def open_once(source):
        if cameras:
            return cameras.pop()
        raise SourceError("There is no camera.")

    monkeypatch.setattr(playback, "RETRY_S", 3600)
    monkeypatch.setattr(playback, "ExpressionPipeline", SeesNothing)
    monkeypatch.setattr(returning, "open_source", open_once)
    player = Player("3", None, None, None)
    player.start()
    wait_for(lambda: player.newest and player.newest.lost, "the loss")
    player.stop()
    player.join(PATIENCE_S)
    assert not player.is_alive()


def test_the_next_player_waits_until_the_camera_is_free(camera):
    first = Player("0", None, None, None)
    first.start()
    wait_for(lambda: camera and first.newest, "a frame")
    first.stop()
    second = Player("0", None, None, first)
    second.start()
    wait_for(lambda: second.newest, "a frame")
    second.stop()
    second.join(PATIENCE_S)
    assert len(camera) == 2 and FakeCamera.opened == 0


def test_a_player_that_is_stopped_does_not_wait_for_the_next_frame(camera, monkeypatch):
    monkeypatch.setattr(FakeCamera, "live", False)  # a file, whose frames have their times
    monkeypatch.setattr(playback.Pace, "due", lambda *_: time.monotonic() + 3600)
    player = Player("0", None, None, None)
    player.start()
    wait_for(lambda: camera and camera[0].given, "a frame")
    player.stop()
    player.join(PATIENCE_S)
    assert not player.is_alive() and camera[0].given == 1


def test_a_file_is_played_at_its_own_pace_and_late_frames_are_dropped(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(playback.time, "monotonic", lambda: now[0])
    pace = Pace()
    assert pace.due(5.0) == 100.0
    assert pace.due(5.5) == 100.5
    now[0] = 100.7
    assert pace.due(5.55) is None
    now[0] = 110.0
    assert pace.due(5.6) == 110.0, "one is shown now and then"
    assert pace.due(6.6) == 111.0, "and it goes on from there"


def test_a_player_is_not_named_by_a_password():
    player = Player("rtsp://anna:hush@cam", None, None, None)
    assert player.title == "…@cam"
    assert "hush" not in player.name


def test_the_frame_rate_is_that_of_the_last_moments(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(playback.time, "monotonic", lambda: now[0])
    rate = FrameRate()
    assert rate.tick() == 0
    for step_s, expected in ((0.1, 10), (0.02, 50)):
        for _ in range(100):
            now[0] += step_s
            shown = rate.tick()
        assert shown == pytest.approx(expected, rel=0.01)
