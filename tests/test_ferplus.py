import numpy as np
import pytest

from fer.training.ferplus import CONTEMPT, NO_MAJORITY, label_likelihoods, majority
from tests.training_data import draw_votes


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ([8, 0, 0, 0, 0, 0, 0, 0, 2, 0], 6),
        ([0, 10, 0, 0, 0, 0, 0, 0, 0, 0], 3),
        ([0, 0, 0, 0, 0, 0, 0, 7, 3, 0], CONTEMPT),
        ([5, 0, 0, 5, 0, 0, 0, 0, 0, 0], NO_MAJORITY),  # half is not more than half
        ([5, 1, 0, 1, 1, 1, 1, 0, 0, 0], 6),  # single votes are outliers
        ([0, 0, 0, 0, 0, 0, 0, 0, 9, 1], NO_MAJORITY),  # most do not know
        ([2, 0, 0, 0, 0, 0, 0, 0, 0, 8], NO_MAJORITY),  # no face
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], NO_MAJORITY),
    ],
)
def test_majority_follows_the_rule_of_ferplus(votes: list[int], said: int) -> None:
    assert majority(np.array([votes])).tolist() == [said]


def test_every_expression_has_its_column() -> None:
    labels = np.arange(7)
    assert majority(draw_votes(labels)).tolist() == labels.tolist()


def test_likelihoods_learn_what_the_labels_make_of_the_votes() -> None:
    """Where taggers say neutral, the labels here say sad in half of the cases."""
    labels = np.repeat(np.arange(7), 100)
    votes = draw_votes(labels)
    labels[600:650] = 4
    likelihoods = label_likelihoods(votes, labels)
    assert likelihoods.dtype == np.float32
    np.testing.assert_allclose(likelihoods.sum(axis=1), 1, rtol=1e-5)
    assert likelihoods[-1, 4] == pytest.approx(0.5, abs=0.05)
    assert likelihoods[-1, 6] == pytest.approx(0.5, abs=0.05)
    assert likelihoods[0, 0] > 0.9
