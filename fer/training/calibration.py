"""So that a probability means what it says: the temperature, fitted and judged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from fer.card import ModelCard, load_card
from fer.classification import softmax
from fer.errors import DatasetError
from fer.training.datasets import FaceDataset
from fer.training.evaluation import (
    evaluate,
    evaluate_on,
    negative_log_likelihood,
    score_faces,
)

TEMPERATURES = (0.05, 20.0)  # where the best one is looked for
HALVING_SEED = 0


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """Find what to divide logits by, so that the labels become as likely as can be.

    Args:
        logits: Shape (n, 7); a constant added to a row changes nothing.
        labels: Class ids, shape (n,).

    Returns:
        The temperature (Guo et al. 2017, arXiv:1706.04599), 0.05 to 20.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(softmax(logits / np.exp(log_temperature)), labels)

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
    temperature, fit = _fit_on_half(logits, public.labels)
    fit["command"] = (
        f"python -m fer export --model {folder / 'fer.keras'} --out {folder} --data {data}"
    )
    figures: dict[str, Any] = {"temperature": fit}
    card = replace(card, temperature=temperature, figures=figures)
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
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> tuple[float, dict[str, Any]]:
    """Fit a temperature on one half of the faces; return it and what it does to the other."""
    fitted = np.zeros(len(labels), bool)
    order = np.random.default_rng(HALVING_SEED).permutation(len(labels))
    fitted[order[: len(labels) // 2]] = True
    temperature = fit_temperature(logits[fitted], labels[fitted])
    held_back = labels[~fitted]
    return temperature, {
        "fitted_on": f"{fitted.sum()} faces of PublicTest, the others measured here",
        "before": evaluate(softmax(logits[~fitted]), held_back).summary(),
        "after": evaluate(softmax(logits[~fitted] / temperature), held_back).summary(),
    }


def _figures(folder: Path, dataset: FaceDataset, split: str) -> dict[str, Any]:
    evaluation, others = evaluate_on(folder, dataset, split, flip=True, refound=True)
    by_class = {
        "precision": evaluation.precision,
        "recall": evaluation.recall,
        "f1": evaluation.f1,
    }
    return evaluation.summary() | by_class | others
