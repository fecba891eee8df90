"""Milliseconds a frame, stage by stage, beside the usual way of doing it, in one run.

    python -m benchmarks.pipeline [--frames 300] [--model PATH] [--alone]

The usual way is what most programs of this kind do: search the full picture
with OpenCV's default cascade and settings, then call `model.predict` for each
face. Both see the same frames, in turn, so that the ratio holds on a machine
whose speed drifts. What the other leaves in the processor's caches slows ours
down, by a third with five faces: `--alone` runs ours alone. Needs the extras
`train` and `dev`.
"""

import argparse
import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np

from benchmarks.common import (
    FPS,
    WARMUP,
    Frame,
    Stopwatch,
    five_faces,
    moving_face,
    print_times,
    ratio,
)
from fer import ExpressionAnnotator, ExpressionPipeline, FaceView
from fer.card import KERAS_FILE
from fer.classification import resolve_model


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


def compare(
    title: str,
    frames: Iterable[Frame],
    pipeline: ExpressionPipeline,
    usual: Callable[[Frame], int] | None = None,
) -> None:
    """Run both ways, or ours alone, over the same frames and print a table."""
    find = pipeline.follower = Stopwatch(pipeline.follower)
    classify = pipeline.classifier.read = Stopwatch(pipeline.classifier.read)
    faces = FaceView.BLUR if pipeline.search_always else FaceView.PLAIN
    annotate = Stopwatch(ExpressionAnnotator(faces=faces).annotate)
    whole = Stopwatch(lambda frame, time_s: annotate(frame, pipeline(frame, time_s)))
    other = Stopwatch(usual) if usual else None
    for number, frame in enumerate(frames):
        if other:
            other(frame)
        whole(frame, number / FPS)
    rows = {
        "detection and tracking": find,
        "classification": classify,
        "drawing": annotate,
        "the whole": whole,
    }
    if other:
        rows["the usual way"] = other
    times = {name: watch.times_ms[WARMUP:] for name, watch in rows.items()}
    print_times(f"ms a frame, 640×480, {title}, one thread", times)
    if other:
        print(ratio(times["the usual way"], times["the whole"]), end="\n\n")


def main() -> None:
    """Print a table for one face, one for five, and the same where faces are to be hidden."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--alone", action="store_true", help="leave the usual way out")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    litert = resolve_model(arguments.model)
    network = litert.with_name(KERAS_FILE)
    usual = None if arguments.alone else usual_way(keras.models.load_model(network))
    count = WARMUP + arguments.frames
    compare("one moving face", moving_face(count), ExpressionPipeline(litert), usual)
    compare("five faces", five_faces(count), ExpressionPipeline(litert), usual)
    hiding = functools.partial(ExpressionPipeline, litert, search_always=True)
    compare("one face that is hidden", moving_face(count), hiding())
    compare("five faces that are hidden", five_faces(count), hiding())


if __name__ == "__main__":
    main()
