from pathlib import Path

import cv2
import numpy as np
import pytest

from fer.training.evaluation import evaluate
from fer.training.plots import plot_confusion, plot_curves, plot_reliability

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.dirichlet(np.ones(7), 60)
LABELS = RANDOM.integers(0, 6, 60)  # no neutral face: a row of the matrix is empty


@pytest.mark.parametrize("plot", [plot_confusion, plot_reliability])
def test_plots_of_a_measure_are_pictures_with_something_on_them(plot, tmp_path: Path) -> None:
    plot(evaluate(SCORES, LABELS), tmp_path / "plot.png")
    picture = cv2.imread(str(tmp_path / "plot.png"))
    assert min(picture.shape[:2]) > 400
    assert len(np.unique(picture)) > 10


def test_plots_of_one_face_are_no_error(tmp_path: Path) -> None:
    evaluation = evaluate(SCORES[:1], LABELS[:1])
    plot_confusion(evaluation, tmp_path / "confusion.png")
    plot_reliability(evaluation, tmp_path / "reliability.png")


def test_curves_show_what_the_log_holds(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("epoch,accuracy,loss,val_accuracy,val_loss\n0,0.2,1.9,NA,NA\n1,0.4,1.5,NA,NA\n")
    plot_curves(log, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
