import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from fer.card import load_card
from fer.classification import softmax
from fer.errors import DatasetError, ModelError
from fer.expressions import EXPRESSION_NAMES
from fer.training import evaluation
from fer.training.evaluation import calibrate, evaluate, fit_temperature, score_faces
from fer.training.export import export_litert
from tests.training_data import make_dataset, make_rows, tiny_network

# Keras converts arrays the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DATASET = make_dataset(make_rows(training=1, public=8, private=4))


def sure_of(classes: list[int], probability: float) -> np.ndarray:
    """Scores that give one class so much, and the others the rest in equal parts."""
    scores = np.full((len(classes), 7), (1 - probability) / 6, np.float32)
    scores[np.arange(len(classes)), classes] = probability
    return scores


def overconfident(temperature: float, count: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels were drawn from them after a division by the temperature."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (count, 7))
    labels = [random.choice(7, p=p / p.sum()) for p in softmax(logits / temperature).astype(float)]
    return logits, np.array(labels)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    tiny_network().save(folder / "fer.keras")
    export_litert(folder / "fer.keras", folder)
    return folder


def test_measures_of_answers_counted_by_hand() -> None:
    result = evaluate(sure_of([3, 3, 3, 6], 0.7), np.array([3, 3, 6, 6]))
    assert result.faces == 4
    assert result.accuracy == 0.75
    assert result.precision["happy"] == pytest.approx(2 / 3)
    assert result.recall["happy"] == 1
    assert result.f1["happy"] == pytest.approx(0.8)
    assert result.recall["neutral"] == 0.5
    assert result.f1["neutral"] == pytest.approx(2 / 3)
    assert result.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2), "only expressions that occur count"
    expected = -(3 * np.log(0.7) + np.log(0.05)) / 4
    assert result.negative_log_likelihood == pytest.approx(expected, rel=1e-5)
    assert result.expected_calibration_error == pytest.approx(0.05, abs=1e-6)
    assert result.confusion[6] == (0, 0, 0, 1, 0, 0, 1), "label in the row, answer in the column"


def test_calibration_error_weighs_each_bin_by_its_faces() -> None:
    scores = np.concatenate([sure_of([0] * 10, 0.95), sure_of([0] * 30, 0.55)])
    labels = np.array([0] * 9 + [1] + [0] * 12 + [1] * 18)
    error = evaluate(scores, labels).expected_calibration_error
    assert error == pytest.approx(0.25 * 0.05 + 0.75 * 0.15, abs=1e-6)


def test_certain_and_wrong_is_expensive_but_finite() -> None:
    result = evaluate(sure_of([0], 1.0), np.array([1]))
    assert 80 < result.negative_log_likelihood < 100
    assert result.expected_calibration_error == 1


def test_evaluation_survives_json() -> None:
    result = evaluate(sure_of([3, 4], 0.7), np.array([3, 3]))
    held = json.loads(json.dumps(asdict(result), allow_nan=False))
    assert list(held["f1"]) == list(EXPRESSION_NAMES)
    assert held["accuracy"] == 0.5


@pytest.mark.parametrize("shape", [(0, 7), (2, 6), (3, 7)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected scores of shape"):
        evaluate(np.ones(shape), np.zeros(min(shape[0], 2), int))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(temperature: float) -> None:
    logits, labels = overconfident(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_temperature_does_not_hang_on_a_constant_in_the_rows() -> None:
    logits, labels = overconfident(2.0, count=500)
    shifted = logits + np.arange(500)[:, np.newaxis]
    assert fit_temperature(shifted, labels) == pytest.approx(fit_temperature(logits, labels))


def test_both_forms_of_a_network_score_alike(exported: Path) -> None:
    faces = DATASET.faces
    litert = score_faces(exported / "fer.tflite", faces)
    assert litert.shape == (len(faces), 7)
    assert np.array_equal(litert, score_faces(exported, faces))
    np.testing.assert_allclose(litert, score_faces(exported / "fer.keras", faces), atol=1e-4)


def test_keras_file_takes_the_temperature_of_its_card(exported: Path, tmp_path: Path) -> None:
    faces = DATASET.faces[:8]
    export_litert(exported / "fer.keras", tmp_path, temperature=3.0)
    warm = score_faces(tmp_path / "fer.keras", faces)
    np.testing.assert_allclose(warm, score_faces(tmp_path, faces), atol=1e-4)
    assert np.ptp(warm) < np.ptp(score_faces(exported / "fer.keras", faces))


def test_keras_file_that_is_not_its_cards_is_refused(exported: Path, tmp_path: Path) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    tiny_network().save(tmp_path / "fer.keras")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        score_faces(tmp_path / "fer.keras", DATASET.faces[:1])


def test_calibration_writes_the_temperature_and_figures_that_can_be_repeated(
    exported: Path, tmp_path: Path
) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    card = calibrate(tmp_path, DATASET, Path("fer2013.csv"))
    assert card == load_card(tmp_path)
    assert set(card.figures) == {"temperature", "public", "private"}
    public = DATASET.split("public")
    again = evaluate(score_faces(tmp_path, public.faces), public.labels).summary()
    assert again.items() <= card.figures["public"].items()
    assert card.figures["public"]["command"] == (
        f"python -m fer evaluate --data fer2013.csv --split public --model {tmp_path}"
    )


def test_second_calibration_gives_what_the_first_gave(exported: Path, tmp_path: Path) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    first = calibrate(tmp_path, DATASET, Path("fer2013.csv"))
    second = calibrate(tmp_path, DATASET, Path("fer2013.csv"))
    assert second.temperature == pytest.approx(first.temperature, rel=1e-3)
    before = first.figures["temperature"]["before"]["negative_log_likelihood"]
    again = second.figures["temperature"]["before"]["negative_log_likelihood"]
    assert again == pytest.approx(before, rel=1e-4), "before means at temperature 1"


def test_calibration_mends_a_network_that_is_too_sure(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    logits, labels = overconfident(2.5, count=2000)
    rows = make_rows(training=0, public=1, private=0)
    one = make_dataset(rows).where(np.arange(7) == 0)
    dataset = replace(
        one,
        faces=np.repeat(one.faces, 2000, axis=0),
        labels=labels,
        usage=np.repeat(one.usage, 2000),
        no_face=np.zeros(2000, bool),
    )
    monkeypatch.setattr(
        evaluation,
        "score_faces",
        lambda folder, faces: softmax(logits / load_card(folder).temperature),
    )
    card = calibrate(tmp_path, dataset, Path("fer2013.csv"))
    figures = card.figures["temperature"]
    assert card.temperature == pytest.approx(2.5, rel=0.1)
    assert figures["before"]["faces"] == figures["after"]["faces"] == 1000
    assert figures["before"]["expected_calibration_error"] > 0.15
    assert figures["after"]["expected_calibration_error"] < 0.05
    assert figures["after"]["accuracy"] == figures["before"]["accuracy"]


def test_calibration_without_public_test_is_refused(exported: Path) -> None:
    with pytest.raises(DatasetError, match="no picture of the split 'public'"):
        calibrate(exported, make_dataset(make_rows(public=0)), Path("fer2013.csv"))
