"""What the commands and the windows share: their options, and how they end."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fer.annotation import FaceView
from fer.errors import FerError
from fer.files import reason

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended, as shells have it."""

Data = Annotated[
    Path,
    typer.Option(help="fer2013.csv (also .gz or .zip), or the folder with train/ and test/."),
]
Model = Annotated[Path | None, typer.Option(help="Another model: its folder or its .tflite file.")]
Mirror = Annotated[
    bool | None,
    typer.Option(
        "--mirror/--no-mirror", help="Like a mirror. [default: for a camera, not for a file]"
    ),
]
Faces = Annotated[
    FaceView,
    typer.Option(
        "--faces",
        "--avatars",
        help="Leave faces as they are, blur them, or draw an avatar beside or instead of each.",
    ),
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


def open_console() -> Console:
    """Give what prints tables."""
    # Off a terminal Rich takes 80 columns, which would cut long names off.
    return Console(width=None if sys.stdout.isatty() else 120)


def say(sentence: str) -> None:
    """Tell a person what went wrong, where it is not taken for a result."""
    print(sentence, file=sys.stderr)


def say_why(error: FerError | OSError) -> None:
    """Tell a person what an error says, and of the system's which file it is about."""
    if isinstance(error, FerError):
        say(str(error))
    else:
        say(f"{error.filename}: {reason(error)}." if error.filename else f"{reason(error)}.")


@contextmanager
def ending_in_words() -> Iterator[None]:
    """End a window's program by one sentence and exit code 1, or by 130 after Ctrl-C.

    Raises:
        typer.Exit: The block raised a `FerError` or an `OSError`, or Ctrl-C came.
    """
    try:
        yield
    except (FerError, OSError) as error:
        say_why(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
