"""Learning curves as a picture."""

import csv
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def plot_curves(log: Path, out: Path) -> None:
    """Draw loss and accuracy over the epochs.

    Args:
        log: CSV file with a column ``epoch`` and others as Keras names them.
        out: Picture to write; its ending decides the format.
    """
    with open(log, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        names = {metric: "training, augmented", f"val_{metric}": "PublicTest"}
        for column, name in names.items():
            if rows and rows[0].get(column, "NA") != "NA":  # Keras's word for not measured
                axes.plot(epochs, [float(row[column]) for row in rows], label=name)
        axes.set(xlabel="epoch", ylabel=metric)
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(out, dpi=120)
