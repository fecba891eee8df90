from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from fer.errors import ModelError
from fer.preprocessing import network_input
from fer.training.distillation import soft_targets, with_teachers
from fer.training.networks import ATTENTION_LAYER
from tests.training_data import make_dataset, make_rows, tiny_network

# Keras converts arrays the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DATASET = make_dataset(make_rows(training=2, public=0, private=0))
INPUTS = network_input(DATASET.faces)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("teachers")
    paths = [folder / "one.keras", folder / "two.keras"]
    for seed, path in enumerate(paths):
        keras.utils.set_random_seed(seed)
        teacher = tiny_network()
        make_sure(teacher)
        teacher.save(path)
    return paths


def make_sure(network: keras.Model) -> None:
    """Let a network say more than that all expressions are as likely."""
    last = network.get_layer(ATTENTION_LAYER)
    last.set_weights([30 * weights for weights in last.get_weights()])


def logits(path: Path) -> np.ndarray:
    return keras.saving.load_model(path, compile=False).predict(INPUTS, verbose=0)


def test_smoothed_label_gives_away_its_share() -> None:
    targets = soft_targets(np.array([3]), smoothing=0.07)
    assert targets[0, 3] == pytest.approx(0.94)
    assert targets[0, 0] == pytest.approx(0.01)


def test_votes_take_their_share_of_the_target() -> None:
    votes = np.full((1, 7), 1 / 7, np.float32)
    targets = soft_targets(np.array([3]), 0.0, votes, share=0.5)
    assert targets[0, 3] == pytest.approx(0.5 + 0.5 / 7)
    assert targets.sum() == pytest.approx(1)


def test_loss_is_the_cross_entropy_to_the_softened_mean_of_the_teachers(
    teachers: list[Path],
) -> None:
    keras.utils.set_random_seed(5)
    student = tiny_network()
    make_sure(student)  # or the teachers' dropout, were it on, would not show
    for layer in student.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model = with_teachers(student, teachers, share=0.5, temperature=2.0)
    outputs = model(INPUTS, training=True)
    soft = softmax(np.mean([logits(path) for path in teachers], axis=0) / 2, axis=1)
    said = log_softmax(keras.ops.convert_to_numpy(outputs) / 2, axis=1)
    expected = 0.5 * 4 * -(soft * said).sum(axis=1).mean()
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_teachers_add_nothing_to_what_is_measured(teachers: list[Path]) -> None:
    student = tiny_network()
    model = with_teachers(student, teachers, share=0.5, temperature=2.0)
    np.testing.assert_allclose(
        model.predict(INPUTS, verbose=0), student.predict(INPUTS, verbose=0), atol=1e-6
    )
    assert model.losses == []


def test_teachers_stay_as_they_are(teachers: list[Path]) -> None:
    student = tiny_network()
    before = [weights.copy() for weights in student.get_weights()]
    model = with_teachers(student, teachers, share=1.0, temperature=2.0)
    model.compile(
        keras.optimizers.SGD(0.5),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        loss_weights=[0.0],
    )
    known = [logits(path) for path in teachers]
    model.fit(INPUTS, soft_targets(DATASET.labels, 0.0), epochs=2, verbose=0)
    assert any((a != b).any() for a, b in zip(before, student.get_weights(), strict=True))
    for index, then in enumerate(known):
        teacher = model.get_layer(f"teacher_{index}")
        np.testing.assert_allclose(teacher.predict(INPUTS, verbose=0), then, atol=1e-5)


def test_teacher_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no trained network"):
        with_teachers(tiny_network(), [tmp_path / "gone.keras"], 0.5, 2.0)
