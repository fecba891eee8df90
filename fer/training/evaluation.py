"""How good is a network, and how far can its probabilities be believed?"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fer.card import CARD_FILE, load_card, verify
from fer.classification import ExpressionClassifier, calibrated, softmax
from fer.expressions import EXPRESSION_NAMES
from fer.preprocessing import network_input
from fer.training.datasets import FaceDataset
from fer.training.ferplus import NO_MAJORITY, majority
from fer.training.framing import refind

BINS = 15
BATCH_SIZE = 64


@dataclass(frozen=True)
class Bin:
    """The answers whose probability lies in one of the `BINS` bins of equal width.

    Attributes:
        faces: How many there are.
        confidence: Mean probability of the answers; 0 if there are none.
        accuracy: Share of them that is right; 0 if there are none.
    """

    faces: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """Measures of one network on one set of faces.

    Attributes:
        faces: How many were scored.
        accuracy: Share of faces whose most probable expression is the label.
        macro_f1: Mean of F1 over the expressions that occur among the labels.
        precision: By expression; 0 for one that was never said.
        recall: By expression; 0 for one that does not occur.
        f1: By expression.
        negative_log_likelihood: Mean of −ln of the label's probability.
        expected_calibration_error: Mean gap between probability and accuracy
            over 15 bins of equal width (Guo et al. 2017, arXiv:1706.04599).
        reliability: The bins of the calibration error, from 0 to 1.
        confusion: Faces by label (row) and most probable expression (column).
    """

    faces: int
    accuracy: float
    macro_f1: float
    precision: dict[str, float]
    recall: dict[str, float]
    f1: dict[str, float]
    negative_log_likelihood: float
    expected_calibration_error: float
    reliability: tuple[Bin, ...]
    confusion: tuple[tuple[int, ...], ...]

    def summary(self) -> dict[str, float]:
        """Return what fits on a line: the measures that are one number."""
        return {name: value for name, value in asdict(self).items() if type(value) in (int, float)}


def evaluate(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Evaluation:
    """Measure probabilities against labels.

    Args:
        scores: Probabilities, shape (n, 7), by class id.
        labels: Class ids, shape (n,).

    Raises:
        ValueError: Other shapes, or no faces.
    """
    count = len(EXPRESSION_NAMES)
    if len(labels) == 0 or scores.shape != (len(labels), count):
        raise ValueError(
            f"expected scores of shape (n, {count}) and as many labels, n at least 1, "
            f"but got shapes {scores.shape} and {labels.shape}."
        )
    said = scores.argmax(axis=1)
    bins = _reliability(scores.max(axis=1), said == labels)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, said, labels=range(count), zero_division=0
    )
    return Evaluation(
        faces=len(labels),
        accuracy=float((said == labels).mean()),
        macro_f1=float(f1[support > 0].mean()),
        precision=_by_name(precision),
        recall=_by_name(recall),
        f1=_by_name(f1),
        negative_log_likelihood=negative_log_likelihood(scores, labels),
        expected_calibration_error=sum(b.faces * abs(b.confidence - b.accuracy) for b in bins)
        / len(labels),
        reliability=bins,
        confusion=tuple(
            tuple(row) for row in confusion_matrix(labels, said, labels=range(count)).tolist()
        ),
    )


def negative_log_likelihood(
    scores: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> float:
    """Return the mean of −ln of the label's probability, from scores of shape (n, 7)."""
    likelihoods = scores[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(likelihoods, np.finfo(np.float32).tiny)).mean())


def evaluate_on(
    model: Path, dataset: FaceDataset, split: str, *, flip: bool = False, refound: bool = False
) -> tuple[Evaluation, dict[str, Any]]:
    """Measure a network on a split, and on what the split can be turned into.

    Args:
        model: As `score_faces` takes it.
        dataset: All splits that there are.
        split: Name in `fer.training.datasets.SPLITS`.
        flip: Measure too what the mean of a face and its mirror image gives.
        refound: Paste the faces into larger frames, and measure those that the
            detector finds there, as it frames them.

    Returns:
        The measure of one look at each face, and a summary of each other:
        ``without_duplicates`` (of training pictures), ``ferplus`` (against
        what most taggers saw, where there are votes), ``flipped``, ``refound``
        and ``refound_direct`` (the same faces as they are).

    Raises:
        DatasetError: The split is empty.
        ModelError: The model is missing, damaged or not one of ours.
    """
    part = dataset.split(split)
    scores = score_faces(model, part.faces)
    others: dict[str, Any] = {}
    if split != "training":
        new = ~part.shown_in(dataset.where(dataset.usage == "Training"))
        others["without_duplicates"] = _summary(scores[new], part.labels[new])
    if part.votes is not None:
        others["ferplus"] = _agreement(scores, part.votes)
    if flip:
        mirrored = score_faces(model, np.ascontiguousarray(part.faces[:, :, ::-1]))
        others["flipped"] = _summary((scores + mirrored) / 2, part.labels)
    if refound:
        again = refind(part.faces)
        labels = part.labels[again.found]
        others["refound"] = _summary(score_faces(model, again.faces), labels) | again.summary()
        others["refound_direct"] = _summary(scores[again.found], labels)
    return evaluate(scores, part.labels), others


def _agreement(
    scores: npt.NDArray[np.floating], votes: npt.NDArray[np.integer]
) -> dict[str, float]:
    """Measure scores against what most taggers saw, where most saw the same."""
    said = majority(votes)
    agreed = said != NO_MAJORITY
    right = scores[agreed].argmax(axis=1) == said[agreed]
    return {"faces": len(right), "accuracy": float(right.mean())} if len(right) else {"faces": 0}


def _summary(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> dict[str, float]:
    return evaluate(scores, labels).summary() if len(labels) else {"faces": 0}


def score_faces(model: Path, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Score many faces with a network in either of its forms.

    Args:
        model: A ``.tflite`` file or a folder with one, which LiteRT runs as it
            does in the apps, or a ``.keras`` file, which Keras runs.
        faces: Grey faces, uint8 of shape (n, 48, 48).

    Returns:
        Probabilities, float32 of shape (n, 7), calibrated as the card beside
        the model says; those of a ``.keras`` file without a card are not.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """
    if model.suffix == ".keras":
        return _score_with_keras(model, faces)
    classifier = ExpressionClassifier(model)
    starts = range(0, max(1, len(faces)), BATCH_SIZE)
    return np.concatenate([classifier(faces[start : start + BATCH_SIZE]) for start in starts])


def _score_with_keras(path: Path, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    from fer.training.export import load_network  # Keras, which LiteRT files do without

    logits = load_network(path).predict(network_input(faces), batch_size=BATCH_SIZE, verbose=0)
    if (path.parent / CARD_FILE).is_file():
        card = load_card(path.parent)
        if path.name in card.sha256:
            verify(path, card)
            return calibrated(logits, card)
    return softmax(logits)


def _by_name(values: npt.NDArray[np.floating]) -> dict[str, float]:
    return dict(zip(EXPRESSION_NAMES, values.tolist(), strict=True))


def _reliability(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> tuple[Bin, ...]:
    places = np.minimum((confidences * BINS).astype(int), BINS - 1)
    faces = np.bincount(places, minlength=BINS)
    sums = (np.bincount(places, values, minlength=BINS) for values in (confidences, right))
    means = (values / np.maximum(faces, 1) for values in sums)
    return tuple(map(Bin, faces.tolist(), *(values.tolist() for values in means)))
