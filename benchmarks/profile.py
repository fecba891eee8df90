"""Where the time of a frame goes, function by function, for one face and for five.

    python -m benchmarks.profile [--frames 300] [--top 12]

Python's profiler (cProfile) watches the pipeline and the drawing, and reads the time of the
processor, so that other programs change little. It adds to each call about as much as a small
function takes: shares say where to look, and `python -m benchmarks.pipeline` what came of it.
Native functions, such as OpenCV's search and LiteRT's network, have rows of their own. Needs
the extra `dev`.
"""

import argparse
import cProfile
import pstats
import re
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from benchmarks.common import FPS, WARMUP, Frame, five_faces, moving_face
from fer import ExpressionAnnotator, ExpressionPipeline


def profile(frames: Iterable[Frame]) -> pstats.Stats:
    """Read and draw frames as a stream; watch all but the first."""
    pipeline, annotator = ExpressionPipeline(), ExpressionAnnotator()
    profiler = cProfile.Profile(time.process_time)
    for number, frame in enumerate(frames):
        if number >= WARMUP:
            profiler.enable()
        annotator.annotate(frame, pipeline(frame, number / FPS))
        profiler.disable()
    return pstats.Stats(profiler)


def where(file: str, line: int, function: str) -> str:
    """A function's name as the table shows it, after its module; of a native one the name alone."""
    if line:
        return f"{Path(file).stem}: {function}"
    method = re.search(r"method '?([\w.]+)", function)
    return method[1].split(".")[-1] if method else function.strip("<>")


def print_top(title: str, stats: pstats.Stats, frames: int, top: int) -> None:
    """Print the functions that take longest by their own time."""
    whole = stats.total_tt  # type: ignore[attr-defined]
    per_frame = f"{1e3 * whole / frames:.1f} ms a frame, watched"
    table = Table(f"{title}: {per_frame}", "own time", "calls a frame")
    rows = stats.stats.items()  # type: ignore[attr-defined]
    longest = sorted(rows, key=lambda row: -row[1][2])[:top]
    for place, (_, calls, own, *_) in longest:
        table.add_row(where(*place), f"{own / whole:.1%}", f"{calls / frames:.1f}")
    rest = whole - sum(row[1][2] for row in longest)
    table.add_row("all others", f"{rest / whole:.1%}", "")
    Console().print(table)


def main() -> None:
    """Print a table for one face and one for five."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--top", type=int, default=12)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    count = WARMUP + arguments.frames
    for title, frames in (("one moving face", moving_face), ("five faces", five_faces)):
        stats = profile(frames(count))
        print_top(title, stats, arguments.frames, arguments.top)


if __name__ == "__main__":
    main()
