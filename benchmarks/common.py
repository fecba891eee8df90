"""What the benchmarks share: frames, a stopwatch and a table."""

import time
from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from tests.synthetic import Face, FaceVideo, portrait

Frame = npt.NDArray[np.uint8]
FPS = 30
SIZE = (640, 480)
WARMUP = 30  # frames that do not count


class Stopwatch:
    """Calls a function and keeps how long each call took, in milliseconds."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self.times_ms: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._function, name)

    def __call__(self, *args: object, **options: object) -> object:
        start = time.perf_counter()
        result = self._function(*args, **options)
        self.times_ms.append((time.perf_counter() - start) * 1e3)
        return result


def moving_face(count: int) -> Iterator[Frame]:
    """Frames of a whole portrait that goes round and round before a noisy ground."""
    picture = cv2.resize(portrait("astronaut"), (448, 448))
    noise = np.random.default_rng(0).normal(110, 25, (*SIZE[::-1], 3))
    ground = cv2.GaussianBlur(np.clip(noise, 0, 255).astype(np.uint8), (9, 9), 3)
    for i in range(count):
        frame = ground.copy()
        x, y = int(96 + 90 * np.sin(i / 15)), int(16 + 16 * np.cos(i / 10))
        frame[y : y + 448, x : x + 448] = picture
        yield frame


def five_faces(count: int) -> Iterator[Frame]:
    """Frames of five faces that sway in a room."""
    places = ((130, 120), (480, 120), (160, 350), (470, 350), (320, 240))
    faces = tuple(
        Face(("astronaut", "hopper")[number % 2], place, sway=(20, 10), side=100)
        for number, place in enumerate(places)
    )
    return FaceVideo(faces, seconds=count / FPS, fps=FPS, size=SIZE).frames()


def print_times(title: str, times_ms: Mapping[str, list[float]]) -> None:
    """Print a row for each name: what its calls took, in milliseconds."""
    table = Table(title, "median", "95th percentile", "mean")
    for name, times in times_ms.items():
        figures = (np.median(times), np.percentile(times, 95), np.mean(times))
        table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    Console().print(table)


def ratio(slow_ms: list[float], fast_ms: list[float]) -> str:
    """How many times as fast one is as the other."""
    median, mean = (float(of(slow_ms) / of(fast_ms)) for of in (np.median, np.mean))
    return f"{median:.1f} times as fast by the median, {mean:.1f} times by the mean"
