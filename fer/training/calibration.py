"""So that a probability means what it says: the calibration, fitted and judged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from fer.card import ModelCard, load_card
from fer.classification import calibrated, softmax
from fer.errors import DatasetError
from fer.training.datasets import FaceDataset
from fer.training.evaluation import (
    evaluate,
    evaluate_on,
    score_faces,
)

TEMPERATURES = (0.05, 20.0)  # where the best one is looked for
HALVING_SEED = 0
_REGULARIZATION = 1e-3  # of the biases, so that a rare class does not run away


def fit_calibration(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> tuple[float, tuple[float, ...]]:
    """Find what makes the labels as likely as can be: a temperature, and a bias for each class.

    A network that learned from soft or weighted targets names some classes
    too often; the biases undo that (bias-corrected temperature scaling,
    Alexandari et al. 2020, arXiv:1901.06852).

    Args:
        logits: Shape (n, 7); a constant added to a row changes nothing.
        labels: Class ids, shape (n,).

    Returns:
        What to divide the logits by, 0.05 to 20, and what to add to them after that.
    """
    rows = np.arange(len(labels))

    def loss(parameters: npt.NDArray[np.float64]) -> float:
        log_temperature, bias = parameters[0], parameters[1:]
        likely = log_softmax(logits / np.exp(log_temperature) + bias, axis=1)[rows, labels]
        return float(_REGULARIZATION * np.square(bias).sum() - likely.mean())

    bounds = [tuple(np.log(TEMPERATURES)), *[(None, None)] * logits.shape[1]]
    found = minimize(loss, np.zeros(len(bounds)), bounds=bounds).x
    return float(np.exp(found[0])), tuple(found[1:].tolist())


def calibrate(folder: Path, dataset: FaceDataset, data: Path) -> ModelCard:
    """Calibrate an exported network, measure it, and write both into its card.

    Temperature and biases are fitted on one half of PublicTest. The figures
    before and after are those of the other half; the splits' are of whole splits.

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
    logs = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
    card, fit = _fit_on_half(card, card.temperature * (logs - card.bias), public.labels)
    fit["command"] = (
        f"python -m fer export --model {folder / 'fer.keras'} --out {folder} --data {data}"
    )
    figures: dict[str, Any] = {"calibration": fit}
    card = replace(card, figures=figures)
    card.save(folder)  # from here on the scores are calibrated
    for split, usage in (("public", "PublicTest"), ("private", "PrivateTest")):
        if usage in dataset.usage:
            figures[split] = _figures(folder, dataset, split) | {
                "command": f"python -m fer evaluate --data {data} --split {split} "
                f"--model {folder} --flip --refound"
            }
    card.save(folder)
    return card


def _fit_on_half(
    card: ModelCard, logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> tuple[ModelCard, dict[str, Any]]:
    """Calibrate a card on one half of the faces; return it and what it does to the other."""
    fitted = np.zeros(len(labels), bool)
    order = np.random.default_rng(HALVING_SEED).permutation(len(labels))
    fitted[order[: len(labels) // 2]] = True
    temperature, bias = fit_calibration(logits[fitted], labels[fitted])
    card = replace(card, temperature=temperature, bias=bias)
    held_back, truth = logits[~fitted], labels[~fitted]
    return card, {
        "fitted_on": f"{fitted.sum()} faces of PublicTest, the others measured here",
        "before": evaluate(softmax(held_back), truth).summary(),
        "after": evaluate(calibrated(held_back, card), truth).summary(),
    }


def _figures(folder: Path, dataset: FaceDataset, split: str) -> dict[str, Any]:
    evaluation, others = evaluate_on(folder, dataset, split, flip=True, refound=True)
    by_class = {
        "precision": evaluation.precision,
        "recall": evaluation.recall,
        "f1": evaluation.f1,
    }
    return evaluation.summary() | by_class | others
