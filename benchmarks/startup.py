"""From `import fer` to the first result: seconds, and resident memory, of a process of its own.

    python -m benchmarks.startup [--runs 7] [--model PATH]

The picture lies in a file, so that nothing else is imported. Needs the extra `dev`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.common import moving_face

ROOT = Path(__file__).resolve().parents[1]
CODE = """
import sys, time
start = time.perf_counter()
import fer
import numpy as np
result = fer.ExpressionPipeline(sys.argv[2] or None)(np.load(sys.argv[1]))
taken_s = time.perf_counter() - start
assert len(result) == 1
import psutil
print(taken_s, psutil.Process().memory_info().rss / 2**20)
"""


def main() -> None:
    """Start Python anew for each run and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--model", default="")
    arguments = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "frame.npy"
        np.save(picture, next(moving_face(1)))
        for _ in range(arguments.runs):
            command = [sys.executable, "-c", CODE, str(picture), arguments.model]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            figures.append([float(word) for word in done.stdout.split()])
    table = Table("from `import fer` to the first result", "median", "least", "most")
    for name, unit, values in zip(
        ("time", "resident memory"), ("s", "MB"), np.transpose(figures), strict=True
    ):
        spread = (np.median(values), values.min(), values.max())
        table.add_row(f"{name}, {unit}", *(f"{value:.4g}" for value in spread))
    Console().print(table)


if __name__ == "__main__":
    main()
