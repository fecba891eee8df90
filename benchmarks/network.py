"""Milliseconds of the network alone, in one thread, for one face and for more in one batch.

    python -m benchmarks.network [--runs 500] [--model PATH]

Needs the extra `dev`.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.common import WARMUP, Stopwatch, moving_face, print_times
from fer import ExpressionClassifier, ExpressionPipeline
from fer.preprocessing import crop_faces

FACES = (1, 2, 5)


def main() -> None:
    """Read the same face again and again and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    frame = next(moving_face(1))
    crop = crop_faces(frame, ExpressionPipeline(arguments.model, live=False)(frame).xyxy[:1])
    read = {count: Stopwatch(ExpressionClassifier(arguments.model).read) for count in FACES}
    for _ in range(WARMUP + arguments.runs):
        for count, watch in read.items():
            watch(np.repeat(crop, count, axis=0))
    times = {f"{count} in a batch": watch.times_ms[WARMUP:] for count, watch in read.items()}
    print_times("ms a batch of faces, one thread", times)


if __name__ == "__main__":
    main()
