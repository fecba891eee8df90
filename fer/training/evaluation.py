"""How good is a network, and how far can its probabilities be believed?"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fer.card import CARD_FILE, ModelCard, load_card, verify
from fer.classification import ExpressionClassifier, softmax
from fer.errors import DatasetError
from fer.expressions import EXPRESSION_NAMES
from fer.preprocessing import network_input
from fer.training.datasets import FaceDataset

BINS = 15
BATCH_SIZE = 64
TEMPERATURES = (0.05, 20.0)  # where the best one is looked for
HALVING_SEED = 0


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
        negative_log_likelihood=_negative_log_likelihood(scores, labels),
        expected_calibration_error=_calibration_error(scores.max(axis=1), said == labels),
        confusion=tuple(
            tuple(row) for row in confusion_matrix(labels, said, labels=range(count)).tolist()
        ),
    )


def score_faces(model: Path, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Score many faces with a network in either of its forms.

    Args:
        model: A ``.tflite`` file or a folder with one, which LiteRT runs as it
            does in the apps, or a ``.keras`` file, which Keras runs.
        faces: Grey faces, uint8 of shape (n, 48, 48).

    Returns:
        Probabilities, float32 of shape (n, 7), with the temperature of the
        card beside the model; a ``.keras`` file without a card has 1.

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

    temperature = 1.0
    if (path.parent / CARD_FILE).is_file():
        card = load_card(path.parent)
        if path.name in card.sha256:
            verify(path, card)
            temperature = card.temperature
    logits = load_network(path).predict(network_input(faces), batch_size=BATCH_SIZE, verbose=0)
    return softmax(logits / temperature)


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """Find what to divide logits by, so that the labels become as likely as can be.

    Args:
        logits: Shape (n, 7); a constant added to a row changes nothing.
        labels: Class ids, shape (n,).

    Returns:
        The temperature (Guo et al. 2017, arXiv:1706.04599), 0.05 to 20.
    """

    def loss(log_temperature: float) -> float:
        return _negative_log_likelihood(softmax(logits / np.exp(log_temperature)), labels)

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def calibrate(folder: Path, dataset: FaceDataset, data: Path) -> ModelCard:
    """Fit the temperature of an exported network, measure it, and write both into its card.

    The temperature is fitted on one half of PublicTest. The figures before and
    after are those of the other half; the splits' are of whole splits.

    Args:
        folder: Holds ``fer.tflite``, ``fer.keras`` and ``card.json``.
        dataset: With PublicTest; PrivateTest is measured where it is there.
        data: Where the data set came from, for the commands in the card.

    Returns:
        The card that was written.

    Raises:
        DatasetError: The data has no PublicTest, or only one face of it.
    """
    public = dataset.split("public")
    if len(public) < 2:
        raise DatasetError("PublicTest holds one picture only: its halves need one each.")
    card = load_card(folder)
    scores = score_faces(folder, public.faces)
    # Logits but for a constant in each row, which a probability does not show.
    logits = card.temperature * np.log(np.maximum(scores, np.finfo(np.float32).tiny))
    fitted = np.zeros(len(public), bool)
    order = np.random.default_rng(HALVING_SEED).permutation(len(public))
    fitted[order[: len(public) // 2]] = True
    temperature = fit_temperature(logits[fitted], public.labels[fitted])
    held_back = public.labels[~fitted]
    figures: dict[str, Any] = {
        "temperature": {
            "fitted_on": f"{fitted.sum()} faces of PublicTest, the others measured here",
            "before": evaluate(softmax(logits[~fitted]), held_back).summary(),
            "after": evaluate(softmax(logits[~fitted] / temperature), held_back).summary(),
            "command": f"python -m fer export --model {folder / 'fer.keras'} --out {folder} "
            f"--data {data}",
        }
    }
    card = replace(card, temperature=temperature, figures=figures)
    card.save(folder)
    for split, usage in (("public", "PublicTest"), ("private", "PrivateTest")):
        if usage in dataset.usage:
            part = dataset.split(split)
            figures[split] = evaluate(score_faces(folder, part.faces), part.labels).summary() | {
                "command": f"python -m fer evaluate --data {data} --split {split} --model {folder}"
            }
    card.save(folder)
    return card


def _by_name(values: npt.NDArray[np.floating]) -> dict[str, float]:
    return dict(zip(EXPRESSION_NAMES, values.tolist(), strict=True))


def _negative_log_likelihood(
    scores: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> float:
    likelihoods = scores[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(likelihoods, np.finfo(np.float32).tiny)).mean())


def _calibration_error(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> float:
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidences - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))
