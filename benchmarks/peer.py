"""Milliseconds a frame beside PyPI `fer` with its Haar cascade, on the same frames in one run.

    python -m benchmarks.peer [--frames 120] [--environment FOLDER]

That package has our import name, so it runs in an environment of its own, which
is made when it is missing (8 GB: it wants TensorFlow and PyTorch) and kept for
the next time. The frames reach it without loss, and the two take turns. Needs the
extra `dev`.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common import FPS, WARMUP, Stopwatch, five_faces, moving_face, print_times, ratio
from fer import ExpressionPipeline

PACKAGES = ("fer==25.10.3", "setuptools<81")  # it asks for pkg_resources, and does not say so
ENVIRONMENT = Path.home() / ".cache" / "fer-benchmarks" / "pypi-fer"
WORKER = Path(__file__).with_name("peer_worker.py")


def peer_python(folder: Path) -> Path:
    """Path of the Python that has the package; it is installed if that is missing."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        done.touch()
    return python


def compare(title: str, frames: np.ndarray, python: Path) -> None:
    """Run both over the same frames by turns and print a table."""
    pipeline = Stopwatch(ExpressionPipeline())
    theirs_ms, faces = [], np.zeros(2, int)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames.npy"
        np.save(file, frames)
        with subprocess.Popen(
            [python, WORKER, file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as worker:
            assert worker.stdin and worker.stdout and worker.stdout.readline() == "ready\n"
            for number, frame in enumerate(frames):
                print(number, file=worker.stdin, flush=True)
                milliseconds, found = worker.stdout.readline().split()
                theirs_ms.append(float(milliseconds))
                faces += int(found), len(pipeline(frame, number / FPS))
            worker.stdin.close()
    times = {"PyPI fer": theirs_ms[WARMUP:], "ours": pipeline.times_ms[WARMUP:]}
    print_times(f"ms a frame, 640×480, {title}", times)
    counts = faces / len(frames)
    print(ratio(*times.values()), f"{counts[0]:.2f} and {counts[1]:.2f} faces a frame", sep="; ")


def main() -> None:
    """Print a table for one face and one for five."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    python, count = peer_python(arguments.environment), WARMUP + arguments.frames
    compare("one moving face", np.stack([*moving_face(count)]), python)
    compare("five faces", np.stack([*five_faces(count)]), python)


if __name__ == "__main__":
    main()
