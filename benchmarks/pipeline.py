"""Milliseconds a frame, beside the usual way of doing it, in one run.

    python benchmarks/pipeline.py [--frames 300] [--model PATH]

The usual way is what most programs of this kind do: search the full picture
with OpenCV's default cascade and settings, then call `model.predict` for each
face. Both see the same frames, in turn, so that the ratio holds on a machine
whose speed drifts. Needs the extras `train` and `dev`.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import numpy.typing as npt
import skimage.data
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a clone need not be installed

from fer import ExpressionAnnotator, ExpressionPipeline
from fer.card import KERAS_FILE
from fer.classification import resolve_model

Frame = npt.NDArray[np.uint8]
FPS = 30
WARMUP = 30


class Stopwatch:
    """Calls a function and keeps how long each call took, in milliseconds."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self.times_ms: list[float] = []

    def __call__(self, *args: object) -> object:
        start = time.perf_counter()
        result = self._function(*args)
        self.times_ms.append((time.perf_counter() - start) * 1e3)
        return result


def moving_face(count: int) -> Iterator[Frame]:
    """Frames of 640×480 in which one face goes round and round."""
    portrait = cv2.resize(skimage.data.astronaut()[..., ::-1], (448, 448))
    noise = np.random.default_rng(0).normal(110, 25, (480, 640, 3))
    background = cv2.GaussianBlur(np.clip(noise, 0, 255).astype(np.uint8), (9, 9), 3)
    for i in range(count):
        frame = background.copy()
        x, y = int(96 + 90 * np.sin(i / 15)), int(16 + 16 * np.cos(i / 10))
        frame[y : y + 448, x : x + 448] = portrait
        yield frame


def usual_way(model: keras.Model) -> Callable[[Frame], int]:
    """A full search with the default cascade, and a prediction for each face apart."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def read(frame: Frame) -> int:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        faces = cascade.detectMultiScale(grey)
        for x, y, w, h in faces:
            face = cv2.resize(grey[y : y + h, x : x + w], (48, 48)).astype(np.float32)
            model.predict(face[np.newaxis, ..., np.newaxis], verbose=0)
        return len(faces)

    return read


def startup_s(runs: int = 5) -> float:
    """Median seconds from a new Python's start through `import fer` to its first result."""
    code = (
        "import numpy as np, fer;"
        "fer.ExpressionPipeline(live=False)(np.zeros((480, 640, 3), np.uint8))"
    )
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Run both ways over the same frames and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    litert = resolve_model(arguments.model)
    pipeline = ExpressionPipeline(litert)
    annotate = Stopwatch(ExpressionAnnotator().annotate)
    classify = pipeline.classifier.read = Stopwatch(pipeline.classifier.read)
    follow = pipeline._follow = Stopwatch(pipeline._follow)
    ours = Stopwatch(lambda frame, time_s: annotate(frame, pipeline(frame, time_s)))
    usual = Stopwatch(usual_way(keras.models.load_model(litert.with_name(KERAS_FILE))))
    for i, frame in enumerate(moving_face(WARMUP + arguments.frames)):
        usual(frame)
        ours(frame, i / FPS)
    rows = {
        "detection and tracking": follow,
        "classification": classify,
        "drawing": annotate,
        "the whole": ours,
        "the usual way": usual,
    }
    table = Table("ms a frame, 640×480, one moving face", "median", "95th percentile", "mean")
    for name, watch in rows.items():
        times = np.array(watch.times_ms[WARMUP:])
        figures = (np.median(times), np.percentile(times, 95), times.mean())
        table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    Console().print(table)
    ratio = np.array(usual.times_ms[WARMUP:]), np.array(ours.times_ms[WARMUP:])
    print(f"{np.median(ratio[0]) / np.median(ratio[1]):.1f} times as fast by the median,", end=" ")
    print(f"{ratio[0].mean() / ratio[1].mean():.1f} times by the mean")
    print(f"{startup_s():.2f} s from a new Python to the first result")


if __name__ == "__main__":
    main()
