"""So that a probability means what it says: the calibration, fitted and judged."""

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.isotonic import isotonic_regression

from fer.card import KERAS_FILE, LITERT_FILE, ModelCard, load_card
from fer.classification import calibrated, resolve_model, softmax
from fer.errors import DatasetError
from fer.training.datasets import FaceDataset
from fer.training.evaluation import Evaluation, evaluate, evaluate_on, score_faces
from fer.training.plots import plot_reliability

TEMPERATURES = (0.05, 20.0)  # where the best one is looked for
GROUPS = 10  # of answers, by their probability: a point of the reliability each
HALVINGS = 10  # of PublicTest, to judge a calibration by: one alone says little
_REGULARIZATION = 1e-3  # of the biases, so that a rare class does not run away


def fit_calibration(
    card: ModelCard, logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> ModelCard:
    """Fit what turns logits into probabilities that can be believed.

    First a temperature, and a bias for each class, that make the labels as
    likely as can be: a network that learned from soft or weighted targets names
    some classes too often, and the biases undo that (bias-corrected temperature
    scaling, Alexandari et al. 2020, arXiv:1901.06852). Then how often the answer
    is right, in groups of as many answers each by their probability: such a
    network is too modest where it is sure, and too bold in between (Zadrozny and
    Elkan 2002; of the class named alone: Gupta and Ramdas 2022, arXiv:2107.08353).

    Args:
        card: Whose calibration is to be replaced.
        logits: Shape (n, 7); a constant added to a row changes nothing.
        labels: Class ids, shape (n,).

    Returns:
        The card with the temperature (0.05 to 20), bias and reliability found.
    """
    rows = np.arange(len(labels))

    def loss(parameters: npt.NDArray[np.float64]) -> float:
        log_temperature, bias = parameters[0], parameters[1:]
        likely = log_softmax(logits / np.exp(log_temperature) + bias, axis=1)[rows, labels]
        return float(_REGULARIZATION * np.square(bias).sum() - likely.mean())

    bounds = [tuple(np.log(TEMPERATURES)), *[(None, None)] * logits.shape[1]]
    found = minimize(loss, np.zeros(len(bounds)), bounds=bounds).x
    card = replace(
        uncalibrated(card), temperature=float(np.exp(found[0])), bias=tuple(found[1:].tolist())
    )
    scores = calibrated(logits, card)
    return replace(
        card, reliability=_reliability(scores.max(axis=1), scores.argmax(axis=1) == labels)
    )


def uncalibrated(card: ModelCard) -> ModelCard:
    """Return a card whose probabilities are the plain softmax of the logits."""
    plain = ModelCard(card.network)
    return replace(
        card, temperature=plain.temperature, bias=plain.bias, reliability=plain.reliability
    )


def _reliability(
    said: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> tuple[tuple[float, float], ...]:
    """Find the rising curve from the probability of answers to the share of them that is right."""
    groups = [
        group for group in np.array_split(np.argsort(said, kind="stable"), GROUPS) if len(group)
    ]
    # One right and one wrong answer more: no share is 0 or 1, which nobody could know.
    shares = isotonic_regression([(right[group].sum() + 1) / (len(group) + 2) for group in groups])
    points = {
        float(said[group].mean()): float(share) for group, share in zip(groups, shares, strict=True)
    }
    return tuple(sorted(({0.0: 0.0, 1.0: float(shares[-1])} | points).items()))


def calibrate(folder: Path, dataset: FaceDataset, data: Path) -> ModelCard:
    """Calibrate an exported network, measure it, and write both into its card.

    The calibration is fitted on PublicTest. How good it is, is measured on each
    half of that with what was fitted on the other half, the mean of ten
    halvings, which ``reliability.png`` shows; the splits' own figures are of
    the calibration that is kept.

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
    card = replace(uncalibrated(load_card(folder)), figures={})
    with TemporaryDirectory() as name:  # the card beside the network is replaced once, at the end
        copy = Path(name)
        shutil.copy(resolve_model(folder), copy / LITERT_FILE)
        card.save(copy)
        # Logits but for a constant in each row, which a probability does not show.
        logits = np.log(score_faces(copy, public.faces))
        fit, every = _judged(card, logits, public.labels)
        fit["command"] = (
            f"python -m fer export --model {folder / KERAS_FILE} --out {folder} --data {data}"
        )
        figures: dict[str, Any] = {"calibration": fit}
        card = replace(fit_calibration(card, logits, public.labels), figures=figures)
        card.save(copy)  # from here on the scores are calibrated
        for split, usage in (("public", "PublicTest"), ("private", "PrivateTest")):
            if usage in dataset.usage:
                figures[split] = _figures(copy, dataset, split)
                figures[split]["command"] = (
                    f"python -m fer evaluate --data {data} --split {split} "
                    f"--model {folder} --flip --refound"
                )
    plot_reliability(every, folder / "reliability.png")
    card.save(folder)
    return card


def _judged(
    card: ModelCard, logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> tuple[dict[str, Any], Evaluation]:
    """Measure what a calibration does to faces that it was not fitted on.

    Returns:
        Figures before and after, and the measure of all halvings together.
    """
    halvings = [_cross_fitted(card, logits, labels, seed) for seed in range(HALVINGS)]
    errors = [evaluate(scores, labels).expected_calibration_error for scores in halvings]
    every = replace(
        evaluate(np.concatenate(halvings), np.tile(labels, HALVINGS)),
        faces=len(labels),
        expected_calibration_error=float(np.mean(errors)),
    )
    return {
        "fitted_on": f"{len(labels)} faces of PublicTest",
        "measured_on": f"each half of them with what was fitted on the other, {HALVINGS} times",
        "before": evaluate(softmax(logits), labels).summary(),
        "after": every.summary(),
        "least_and_most_calibration_error": [min(errors), max(errors)],
    }, every


def _cross_fitted(
    card: ModelCard,
    logits: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    seed: int,
) -> npt.NDArray[np.float32]:
    """Score each half of the faces, drawn by lot label by label, by what fits the other."""
    order = np.lexsort((np.random.default_rng(seed).random(len(labels)), labels))
    halves = order[::2], order[1::2]
    scores = np.empty(logits.shape, np.float32)
    for fitted, judged in (halves, halves[::-1]):
        half = fit_calibration(card, logits[fitted], labels[fitted])
        scores[judged] = calibrated(logits[judged], half)
    return scores


def _figures(model: Path, dataset: FaceDataset, split: str) -> dict[str, Any]:
    evaluation, others = evaluate_on(model, dataset, split, flip=True, refound=True)
    return {
        **evaluation.summary(),
        "precision": evaluation.precision,
        "recall": evaluation.recall,
        "f1": evaluation.f1,
        **others,
    }
