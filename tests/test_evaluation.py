import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from fer.errors import ModelError
from fer.expressions import EXPRESSION_NAMES
from fer.training.evaluation import evaluate, evaluate_on, score_faces
from fer.training.export import export_litert
from fer.training.framing import refind
from tests.training_data import draw_votes, make_dataset, make_rows, real_face, tiny_network

# Keras converts arrays the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DATASET = make_dataset(make_rows(training=1, public=8, private=4))


def sure_of(classes: list[int], probability: float) -> np.ndarray:
    """Scores that give one class so much, and the others the rest in equal parts."""
    scores = np.full((len(classes), 7), (1 - probability) / 6, np.float32)
    scores[np.arange(len(classes)), classes] = probability
    return scores


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


def test_bins_hold_every_answer_where_its_probability_lies() -> None:
    scores = np.concatenate([sure_of([0] * 3, 0.95), sure_of([1], 1.0)])
    bins = evaluate(scores, np.array([0, 0, 1, 1])).reliability
    assert len(bins) == 15
    assert [b.faces for b in bins] == [0] * 14 + [4]
    assert bins[14].accuracy == 0.75
    assert bins[14].confidence == pytest.approx((3 * 0.95 + 1) / 4)


def test_evaluation_survives_json() -> None:
    result = evaluate(sure_of([3, 4], 0.7), np.array([3, 3]))
    held = json.loads(json.dumps(asdict(result), allow_nan=False))
    assert list(held["f1"]) == list(EXPRESSION_NAMES)
    assert held["accuracy"] == 0.5


@pytest.mark.parametrize("shape", [(0, 7), (2, 6), (3, 7)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected scores of shape"):
        evaluate(np.ones(shape), np.zeros(min(shape[0], 2), int))


def test_both_forms_of_a_network_score_alike(exported: Path) -> None:
    faces = DATASET.faces
    litert = score_faces(exported / "fer.tflite", faces)
    assert litert.shape == (len(faces), 7)
    assert np.array_equal(litert, score_faces(exported, faces))
    np.testing.assert_allclose(litert, score_faces(exported / "fer.keras", faces), atol=1e-4)


def test_keras_file_takes_the_temperature_of_its_card(exported: Path, tmp_path: Path) -> None:
    faces = DATASET.faces[:8]
    replace(export_litert(exported / "fer.keras", tmp_path), temperature=3.0).save(tmp_path)
    warm = score_faces(tmp_path / "fer.keras", faces)
    np.testing.assert_allclose(warm, score_faces(tmp_path, faces), atol=1e-4)
    assert np.ptp(warm) < np.ptp(score_faces(exported / "fer.keras", faces))


def test_keras_file_that_is_not_its_cards_is_refused(exported: Path, tmp_path: Path) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    tiny_network().save(tmp_path / "fer.keras")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        score_faces(tmp_path / "fer.keras", DATASET.faces[:1])


def test_pictures_of_the_training_split_are_told_apart(exported: Path) -> None:
    rows = make_rows(training=1, public=2, private=0)
    shown = [(label, face, "PublicTest") for label, face, usage in rows if usage == "Training"]
    evaluation, others = evaluate_on(exported, make_dataset(rows + shown), "public")
    assert evaluation.faces == 21
    assert others["without_duplicates"]["faces"] == 14
    assert "without_duplicates" not in evaluate_on(exported, DATASET, "training")[1]


def test_votes_are_measured_where_most_taggers_agree(exported: Path) -> None:
    dataset = make_dataset(make_rows(training=1, public=1, private=0))
    votes = draw_votes(dataset.labels)
    votes[-1] = [4, 0, 0, 3, 3, 0, 0, 0, 0, 0]
    split = replace(dataset, votes=votes)
    scores = score_faces(exported, split.split("public").faces)[:-1]
    _, others = evaluate_on(exported, split, "public")
    right = scores.argmax(axis=1) == np.arange(6)
    assert others["ferplus"] == {"faces": 6, "accuracy": right.mean()}
    assert "ferplus" not in evaluate_on(exported, dataset, "public")[1]


def test_votes_of_which_none_agree_are_no_error(exported: Path) -> None:
    dataset = make_dataset(make_rows(training=1, public=1, private=0))
    split = replace(dataset, votes=np.zeros((len(dataset), 10), np.int64))
    assert evaluate_on(exported, split, "public")[1]["ferplus"] == {"faces": 0}


def test_mirror_images_count_only_on_request_and_apart(exported: Path) -> None:
    public = DATASET.split("public")
    mirrored = np.ascontiguousarray(public.faces[:, :, ::-1])
    mean = (score_faces(exported, public.faces) + score_faces(exported, mirrored)) / 2
    evaluation, others = evaluate_on(exported, DATASET, "public", flip=True)
    plain, plain_others = evaluate_on(exported, DATASET, "public")
    assert evaluation == plain
    assert others["flipped"] == evaluate(mean, public.labels).summary()
    assert "flipped" not in plain_others


def test_refound_faces_are_measured_beside_the_same_faces_as_they_are(exported: Path) -> None:
    dataset = make_dataset(make_rows(training=1, public=1, private=0))
    dataset.faces[-2:] = real_face()
    found = refind(dataset.split("public").faces).found
    _, others = evaluate_on(exported, dataset, "public", refound=True)
    assert others["refound"]["faces"] == others["refound_direct"]["faces"] == found.sum() >= 2
    assert others["refound"]["found"] == found.mean()


def test_no_face_that_is_found_again_is_no_error(exported: Path) -> None:
    blank = replace(DATASET, faces=np.zeros_like(DATASET.faces))
    others = evaluate_on(exported, blank, "public", refound=True)[1]
    assert others["refound"]["faces"] == others["refound_direct"]["faces"] == 0
