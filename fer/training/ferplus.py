"""FER+: what ten taggers said of each picture of FER-2013 (Barsoum et al., arXiv:1608.01041)."""

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from fer.errors import DatasetError
from fer.expressions import EXPRESSION_NAMES

VOTES_FILE = "fer2013new.csv"

COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"),
    *("contempt", "unknown", "no face"),
)
"""What the ten columns of votes are for."""

CONTEMPT = len(EXPRESSION_NAMES)
"""What `majority` gives for the one expression of FER+ that FER-2013 does not have."""

NO_MAJORITY = -1

_CLASS_IDS = np.array([6, 3, 5, 4, 0, 1, 2, CONTEMPT, NO_MAJORITY, NO_MAJORITY])
_REGULARIZATION = 0.3  # inverse strength, as scikit-learn counts it


def read_votes(path: Path, rows: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Read ``fer2013new.csv``.

    Args:
        path: The file as Microsoft publishes it.
        rows: Number of pictures that it has to speak of.

    Returns:
        The votes, int64 of shape (n, 10), and which rows show no face (they
        have no image name), bool of shape (n,).

    Raises:
        DatasetError: It cannot be read, or belongs to other data.
    """
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            lists = list(csv.reader(lines))[1:]
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as {VOTES_FILE}: {error}.") from error
    if len(lists) != rows:
        raise DatasetError(
            f"{path} has {len(lists)} rows, but the data beside it has {rows}: "
            "they belong together row by row. Take the matching file, or move this one away."
        )
    for number, row in enumerate(lists, start=1):
        if len(row) != 12 or not all(vote.isdecimal() and len(vote) < 3 for vote in row[2:]):
            raise DatasetError(f"{path}, row {number}: expected Usage, Image name and 10 votes.")
    votes = np.array([row[2:] for row in lists], dtype=np.int64)
    return votes, np.array([row[1] == "" for row in lists])


def majority(votes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Say what most taggers saw, by the rule of FER+ itself.

    A single vote for something is an outlier and does not count; of what is
    left, more than half has to agree.

    Args:
        votes: Shape (n, 10).

    Returns:
        Class ids of FER-2013, int64 of shape (n,); `CONTEMPT`, and
        `NO_MAJORITY` where there is none, or the picture is not of a face.
    """
    counted = np.where(votes > 1, votes, 0)
    most = counted.max(axis=1)
    agreed = most > counted.sum(axis=1) / 2
    return np.where(agreed, _CLASS_IDS[counted.argmax(axis=1)], NO_MAJORITY)


def label_likelihoods(
    votes: npt.NDArray[np.integer], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Translate votes into how likely each FER-2013 label is.

    The two sets of labels have different priors (FER+ says neutral far more
    often), so the votes cannot stand in for labels as they are. A multinomial
    logistic regression from the votes to the labels learns the difference.

    Args:
        votes: Votes on the training faces, shape (n, 10).
        labels: Their FER-2013 class ids, shape (n,); all seven occur.

    Returns:
        Probabilities of the labels, float32 of shape (n, 7).
    """
    features = np.hstack([np.log1p(votes), votes / 10])
    regression = LogisticRegression(C=_REGULARIZATION, max_iter=3000).fit(features, labels)
    return np.asarray(regression.predict_proba(features), np.float32)
