"""A camera that vanishes and comes back: its times, its errors, and what is shown meanwhile."""

import time

import numpy as np
import pytest

from fer import SourceError, returning
from fer.media import Source
from fer.returning import ReturningSource, no_picture

FRAME = np.zeros((48, 64, 3), np.uint8)


class Camera(Source):
    """Gives some frames and is gone."""

    def __init__(self, frames, live=True):
        self.frames, self.live, self.closed = frames, live, False

    def __iter__(self):
        for number in range(self.frames):
            yield FRAME, number / 100
        raise SourceError("The camera is gone.")

    def close(self):
        self.closed = True


@pytest.fixture
def opens(monkeypatch):
    """Choose what is opened, one after the other; None is what cannot be."""

    def choose(*sources):
        left = iter(sources)

        def open_next(name):
            source = next(left)
            if source is None:
                raise SourceError("There is no camera.")
            return source

        monkeypatch.setattr(returning, "open_source", open_next)

    return choose


def test_a_camera_that_vanishes_is_looked_for_each_time_that_somebody_asks(opens):
    cameras = Camera(3), Camera(2)
    opens(cameras[0], None, None, cameras[1], None)
    with ReturningSource("0") as source:
        frames = iter(source)
        given, times = [], []
        for _ in range(9):
            frame, time_s = next(frames)
            given.append(frame is not None)
            times.append(time_s)
            time.sleep(0.02)
    assert given == [True] * 3 + [False] * 3 + [True] * 2 + [False]
    assert times == sorted(times)
    assert times[6] - times[5] > 0.02, "they go on by the clock, whatever the camera says"
    assert all(camera.closed for camera in cameras)


def test_a_camera_that_comes_back_without_a_picture_is_not_back(opens):
    opens(Camera(1), Camera(0), Camera(1))
    with ReturningSource("0") as source:
        frames = iter(source)
        given = [next(frames)[0] is not None for _ in range(4)]
    assert given == [True, False, False, True]


def test_a_camera_that_was_never_there_is_an_error(opens):
    opens(None)
    with pytest.raises(SourceError, match="no camera"):
        ReturningSource("0")
    opens(Camera(0))
    with ReturningSource("0") as source, pytest.raises(SourceError, match="gone"):
        next(iter(source))


def test_a_film_ends_where_it_cannot_be_read_further(opens):
    opens(Camera(3, live=False))
    with ReturningSource("film.mp4") as source, pytest.raises(SourceError, match="gone"):
        frames = iter(source)
        assert [next(frames)[1] for _ in range(3)] == [0.0, 0.01, 0.02]
        next(frames)


@pytest.mark.parametrize("size", [(640, 480), (240, 320), (1, 1)])
def test_what_says_that_there_is_no_picture_has_the_size_of_one(size):
    scene = no_picture(size)
    assert (scene.shape, scene.dtype) == ((size[1], size[0], 3), np.uint8)
    assert size == (1, 1) or (np.median(scene) < 60 and scene.max() > 150)
