"""How much faster than it was filmed `fer video` reads a video, with its start.

    python -m benchmarks.video [--seconds 100]

The video is 640×480 at 30 frames a second, with one moving face and sound; the
annotated copy and the rows are both written. Needs the extra `dev`.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.films import even_times, write_film
from tests.synthetic import Face

FPS = 30


def main() -> None:
    """Time one run and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=100)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = even_times(seconds, FPS)
        film = write_film(folder / "film.mp4", times, size=(640, 480), faces=(Face(),))
        outputs = ["--out", folder / "out.mp4", "--rows", folder / "rows.csv"]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "fer", "video", film, *outputs], check=True)
        wall_s = time.perf_counter() - start
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{seconds / wall_s:.1f} times real time: {seconds} s of video in {wall_s:.1f} s,")
    print(f"of the processors {usage.ru_utime + usage.ru_stime:.1f} s,", end=" ")
    print(f"at most {usage.ru_maxrss / 1024:.0f} MB resident")


if __name__ == "__main__":
    main()
