"""Learning curves, the confusion matrix and the reliability diagram as pictures."""

import csv
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay

from fer.expressions import EXPRESSION_NAMES
from fer.training.evaluation import Evaluation

_DPI = 120


def plot_curves(log: Path, out: Path) -> None:
    """Draw loss and accuracy over the epochs.

    Args:
        log: CSV file with a column ``epoch`` and others as Keras names them.
        out: Picture to write; its ending decides the format.
    """
    with open(log, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    figure = _figure(9, 3.5)
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        names = {metric: "training, augmented", f"val_{metric}": "PublicTest"}
        for column, name in names.items():
            if rows and rows[0].get(column, "NA") != "NA":  # Keras's word for not measured
                axes.plot(epochs, [float(row[column]) for row in rows], label=name)
        axes.set(xlabel="epoch", ylabel=metric)
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(out, dpi=_DPI)


def plot_confusion(evaluation: Evaluation, out: Path) -> None:
    """Draw the confusion matrix; each row is a label and sums to 1.

    Args:
        evaluation: What was measured.
        out: Picture to write; its ending decides the format.
    """
    figure = _figure(6.4, 5.6)
    shares = [[n / max(1, sum(row)) for n in row] for row in evaluation.confusion]
    display = ConfusionMatrixDisplay(np.array(shares), display_labels=EXPRESSION_NAMES)
    axes = figure.subplots()
    display.plot(ax=axes, cmap="Blues", values_format=".2f", xticks_rotation=45, colorbar=False)
    axes.set(xlabel="answer", ylabel="label", title=f"{evaluation.faces} faces")
    figure.savefig(out, dpi=_DPI)


def plot_reliability(evaluation: Evaluation, out: Path) -> None:
    """Draw how often answers of each probability are right, and how many there are.

    Args:
        evaluation: What was measured.
        out: Picture to write; its ending decides the format.
    """
    figure = _figure(5.5, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = [b for b in evaluation.reliability if b.faces]
    said = [b.confidence for b in bins]
    upper.plot([0, 1], [0, 1], color="grey", linestyle="--", label="as it should be")
    upper.plot(said, [b.accuracy for b in bins], marker="o", label="as it is")
    error = evaluation.expected_calibration_error
    upper.set(ylabel="share that is right", title=f"expected calibration error {error:.3f}")
    upper.legend()
    upper.grid(alpha=0.3)
    lower.bar(said, [b.faces for b in bins], width=0.05)
    lower.set(xlabel="probability of the answer", ylabel="faces", xlim=(0, 1))
    figure.savefig(out, dpi=_DPI)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
