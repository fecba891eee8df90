"""FER-2013 in the two forms in which people have it: one CSV file, or a tree of folders."""

import csv
import gzip
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from fer.training.ferplus import VOTES_FILE, read_votes

SPLITS: dict[str, tuple[str, ...]] = {
    "training": ("Training",),
    "public": ("PublicTest",),
    "private": ("PrivateTest",),
    "test": ("PublicTest", "PrivateTest", "Test"),
}
"""What each split holds, as the ``Usage`` column says it. ``Test`` is a picture
in a test folder whose name does not say which of the two tests it is from."""

_HEADER = ["emotion", "pixels", "Usage"]
_USAGES = ("Training", "PublicTest", "PrivateTest")
_UNREADABLE = (OSError, EOFError, ValueError, csv.Error, zipfile.BadZipFile, zlib.error)
_LONGEST_LINE = 20_000  # characters; a row of fer2013.csv has 10,000 at most


@dataclass(frozen=True)
class FaceDataset:
    """Labelled faces.

    Attributes:
        faces: Grey faces, uint8 of shape (n, 48, 48).
        labels: Class ids (index into `fer.EXPRESSIONS`), int64 of shape (n,).
        usage: ``Training``, ``PublicTest``, ``PrivateTest`` or ``Test``, shape (n,).
        votes: FER+ votes, in the order of `fer.training.ferplus.COLUMNS`; int64
            of shape (n, 10), or None where the file was not there.
        no_face: Rows that FER+ leaves out because they show no face, bool of shape (n,).
    """

    faces: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    usage: npt.NDArray[np.str_]
    votes: npt.NDArray[np.int64] | None
    no_face: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.faces)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "FaceDataset":
        """Return the chosen rows: bool of shape (n,)."""
        return replace(
            self,
            faces=self.faces[chosen],
            labels=self.labels[chosen],
            usage=self.usage[chosen],
            votes=None if self.votes is None else self.votes[chosen],
            no_face=self.no_face[chosen],
        )

    def split(self, name: str) -> "FaceDataset":
        """Return one split of `SPLITS`.

        Raises:
            DatasetError: The split is empty.
        """
        part = self.where(np.isin(self.usage, SPLITS[name]))
        if len(part) == 0:
            held = ", ".join(sorted(set(self.usage.tolist())))
            raise DatasetError(f"The data holds no picture of the split {name!r}; it has: {held}.")
        return part

    def shown_in(self, other: "FaceDataset") -> npt.NDArray[np.bool_]:
        """Return which faces stand in another data set too, pixel by pixel: bool of shape (n,)."""
        shown = {face.tobytes() for face in other.faces}
        return np.array([face.tobytes() in shown for face in self.faces], bool)

    def clean_training(self) -> "FaceDataset":
        """Return the training split without what would spoil it or its measure.

        Left out are rows that show no face (known only with the FER+ votes),
        and pictures that stand in a test split too.

        Raises:
            DatasetError: No picture of some expression is left.
        """
        training = self.split("training")
        tests = self.where(self.usage != "Training")
        training = training.where(~training.shown_in(tests) & ~training.no_face)
        for class_id, name in enumerate(EXPRESSION_NAMES):
            if not (training.labels == class_id).any():
                raise DatasetError(
                    f"No training picture of the expression {name!r}: all seven are needed."
                )
        return training


def load_dataset(path: Path) -> FaceDataset:
    """Read FER-2013.

    Args:
        path: ``fer2013.csv`` of the competition (also as ``.gz`` or ``.zip``),
            or the folder set with ``train/<expression>/*`` and
            ``test/<expression>/*``. The FER+ votes are read where
            ``fer2013new.csv`` lies beside the CSV file.

    Returns:
        All rows in the file's order; a folder's in the order of their paths.

    Raises:
        DatasetError: What was found cannot be used; the row or path is named.
    """
    if path.is_dir():
        return _read_folders(path)
    if not path.is_file():
        raise DatasetError(
            f"There is no data at {path}: give fer2013.csv (also .gz or .zip), "
            "or the folder that holds train/ and test/."
        )
    dataset = _read_csv(path)
    votes_path = path.with_name(VOTES_FILE)
    if not votes_path.is_file():
        return dataset
    votes, no_face = read_votes(votes_path, len(dataset))
    return replace(dataset, votes=votes, no_face=no_face)


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


def _read_csv(path: Path) -> FaceDataset:
    faces, labels, usages = [], [], []
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
                face, label, usage = _parse_row(row, f"{path}, row {number}")
                faces.append(face)
                labels.append(label)
                usages.append(usage)
    except _UNREADABLE as error:
        raise DatasetError(f"{path} cannot be read as fer2013.csv: {error}.") from error
    return _dataset(faces, labels, usages, path)


def _parse_row(row: list[str], place: str) -> tuple[npt.NDArray[np.uint8], int, str]:
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


def _read_folders(root: Path) -> FaceDataset:
    faces, labels, usages = [], [], []
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
                faces.append(_read_face(file))
                labels.append(EXPRESSION_NAMES.index(name))
                usages.append(prefix if usage == "Test" and prefix in _USAGES[1:] else usage)
    return _dataset(faces, labels, usages, root)


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


def _dataset(
    faces: list[npt.NDArray[np.uint8]], labels: list[int], usages: list[str], path: Path
) -> FaceDataset:
    if not faces:
        raise DatasetError(
            f"{path} holds no picture: expected fer2013.csv with its rows, or a folder "
            "with train/<expression>/ and test/<expression>/."
        )
    return FaceDataset(
        np.stack(faces), np.array(labels), np.array(usages), None, np.zeros(len(faces), bool)
    )
