"""FER-2013, and the splits and votes that belong to it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer.errors import DatasetError
from fer.expressions import EXPRESSION_NAMES
from fer.training.fer2013 import read_folders, read_table
from fer.training.ferplus import VOTES_FILE, read_votes

SPLITS: dict[str, tuple[str, ...]] = {
    "training": ("Training",),
    "public": ("PublicTest",),
    "private": ("PrivateTest",),
    "test": ("PublicTest", "PrivateTest", "Test"),
}
"""What each split holds, as the ``Usage`` column says it. ``Test`` is a picture
in a test folder whose name does not say which of the two tests it is from."""


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
        """Return one split.

        Args:
            name: One of `SPLITS`.

        Raises:
            DatasetError: The split is empty, or there is none of that name.
        """
        if name not in SPLITS:
            raise DatasetError(f"There is no split {name!r}; expected one of {', '.join(SPLITS)}.")
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
        rows = [*read_folders(path)]
    elif path.is_file():
        rows = [*read_table(path)]
    else:
        raise DatasetError(
            f"There is no data at {path}: give fer2013.csv (also .gz or .zip), "
            "or the folder that holds train/ and test/."
        )
    if not rows:
        raise DatasetError(
            f"{path} holds no picture: expected fer2013.csv with its rows, or a folder "
            "with train/<expression>/ and test/<expression>/."
        )
    faces, labels, usages = zip(*rows, strict=True)
    votes, no_face = None, np.zeros(len(rows), bool)
    votes_path = path.with_name(VOTES_FILE)
    if path.is_file() and votes_path.is_file():
        votes, no_face = read_votes(votes_path, len(rows))
    return FaceDataset(np.stack(faces), np.array(labels), np.array(usages), votes, no_face)
