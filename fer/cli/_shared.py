"""What several commands share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended, as shells have it."""

Data = Annotated[
    Path,
    typer.Option(help="fer2013.csv (also .gz or .zip), or the folder with train/ and test/."),
]


def load_keras() -> None:
    """Load Keras and TensorFlow without the messages that they print while they start."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        import keras  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
