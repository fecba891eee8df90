"""FER-2013 as people have it: one CSV file, or a tree of folders."""

import csv
import gzip
import io
import lzma
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np
import numpy.typing as npt

from fer.errors import DatasetError, SourceError
from fer.expressions import EXPRESSION_NAMES
from fer.pictures import SUFFIXES, read_picture
from fer.preprocessing import INPUT_SIZE

_HEADER = ["emotion", "pixels", "Usage"]
_USAGES = ("Training", "PublicTest", "PrivateTest")
_DAMAGED = (EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
_UNREADABLE = (OSError, ValueError, csv.Error, *_DAMAGED)
_LONGEST_LINE = 20_000  # characters; a row of fer2013.csv has 10,000 at most

LabelledFace = tuple[npt.NDArray[np.uint8], int, str]
"""A grey face of shape (48, 48), its class id, and ``Usage``: the split that it is of."""


def read_table(path: Path) -> Iterator[LabelledFace]:
    """Read ``fer2013.csv``, also as ``.gz`` or ``.zip``.

    Yields:
        Its rows in their order.

    Raises:
        DatasetError: It is another file, or damaged; the row is named.
    """
    try:
        with _open_csv(path) as lines:
            # In pieces: what is no table may be one endless line.
            rows = csv.reader(iter(partial(lines.readline, _LONGEST_LINE), ""))
            header = next(rows, [])
            if header != _HEADER:
                raise DatasetError(
                    f"{path} starts with {','.join(header)[:60]!r}; "
                    f"fer2013.csv starts with {','.join(_HEADER)!r}."
                )
            for number, row in enumerate(rows, start=1):
                yield _parse_row(row, f"{path}, row {number}")
    except _UNREADABLE as error:
        raise DatasetError(f"{path} cannot be read as fer2013.csv: {error}.") from error
    except RuntimeError as error:  # of zipfile, about passwords and what is newer than it is
        raise DatasetError(
            f"{path} cannot be unpacked ({error}): expected a plain ZIP without a password; "
            "unpack it with another program and give fer2013.csv."
        ) from error


def read_folders(root: Path) -> Iterator[LabelledFace]:
    """Read the pictures in ``train/<expression>/`` and ``test/<expression>/``.

    Yields:
        Them in the order of their paths.

    Raises:
        DatasetError: A folder is of no expression or empty, or a picture damaged; it is named.
    """
    for part, usage in (("train", "Training"), ("test", "Test")):
        for folder in sorted(p for p in root.glob(f"{part}/*") if p.is_dir()):
            name = folder.name.lower()
            if name not in EXPRESSION_NAMES:
                raise DatasetError(
                    f"{folder}: no expression is called {folder.name!r}; "
                    f"expected {', '.join(EXPRESSION_NAMES)}."
                )
            files = [p for p in sorted(folder.iterdir()) if _is_picture(p)]
            if not files:
                raise DatasetError(f"{folder} holds no picture; expected {', '.join(SUFFIXES)}.")
            for file in files:
                prefix = file.name.partition("_")[0]
                told = part == "test" and prefix in _USAGES[1:]
                yield _read_face(file), EXPRESSION_NAMES.index(name), prefix if told else usage


@contextmanager
def _open_csv(path: Path) -> Iterator[TextIO]:
    """Open a CSV file, compressed or not."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            yield lines
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if Path(n).name in ("fer2013.csv", path.stem)]
            if not names:
                raise DatasetError(f"{path} holds no fer2013.csv.")
            with archive.open(names[0]) as member:
                yield io.TextIOWrapper(member, encoding="utf-8", newline="")
    else:
        with open(path, encoding="utf-8", newline="") as lines:
            yield lines


def _parse_row(row: list[str], place: str) -> LabelledFace:
    if len(row) != len(_HEADER):
        raise DatasetError(f"{place}: {len(row)} columns; expected {len(_HEADER)}.")
    emotion, text, usage = row
    if emotion not in {str(i) for i in range(len(EXPRESSION_NAMES))}:
        raise DatasetError(f"{place}: unknown label {emotion[:20]!r}; expected 0 to 6.")
    if usage not in _USAGES:
        raise DatasetError(f"{place}: unknown usage {usage!r}; expected one of {_USAGES}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            pixels = np.fromstring(text, dtype=np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        raise DatasetError(f"{place}: a pixel is not a whole number.") from None
    if pixels.size != INPUT_SIZE**2:
        raise DatasetError(f"{place}: {pixels.size} pixels; expected {INPUT_SIZE**2} (48×48).")
    if pixels.min() < 0 or pixels.max() > 255:
        raise DatasetError(f"{place}: a pixel outside of 0 to 255.")
    return pixels.astype(np.uint8).reshape(INPUT_SIZE, INPUT_SIZE), int(emotion), usage


def _is_picture(path: Path) -> bool:
    """Tell a picture from what file managers leave in folders."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _read_face(path: Path) -> npt.NDArray[np.uint8]:
    try:
        face = cv2.cvtColor(read_picture(path), cv2.COLOR_BGR2GRAY)
    except SourceError as error:
        raise DatasetError(str(error)) from error
    if face.shape != (INPUT_SIZE, INPUT_SIZE):
        face = cv2.resize(face, (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(face, np.uint8)
