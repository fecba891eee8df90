"""The shipped model, and models that are not what they should be."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fer import EXPRESSIONS, ExpressionClassifier, ModelError
from fer.card import CARD_FILE, LITERT_FILE, ModelCard
from fer.classification import attend, calibrated, resolve_model

STRAIGHT = [[0, 0], [1, 1]]


def faces(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48)).astype(np.uint8)


@pytest.fixture
def model(tmp_path):
    """A copy of the shipped model that a test may spoil."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (LITERT_FILE, CARD_FILE):
        shutil.copy(resolve_model().parent / name, folder)
    return folder


def edit_card(folder, **changes):
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps(card | changes))


@pytest.mark.parametrize("count", [0, 1, 8])
def test_scores_are_probabilities_of_the_seven_expressions(count):
    scores = ExpressionClassifier()(faces(count))
    assert scores.shape == (count, len(EXPRESSIONS))
    assert scores.dtype == np.float32
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_a_face_scores_the_same_alone_and_in_any_batch():
    classifier = ExpressionClassifier()
    batch = faces(8)
    together = classifier(batch)
    alone = np.concatenate([classifier(face[np.newaxis]) for face in batch])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(classifier(batch[3:6]) - together[3:6]).max() < 1e-5


def test_scores_and_maps_come_from_one_run_and_agree(model):
    """A class's logit is the mean of its map: so the maps say the scores again."""
    edit_card(model, reliability=STRAIGHT)
    classifier = ExpressionClassifier(model)
    batch = faces(3)
    scores, maps = classifier.read(batch)
    np.testing.assert_array_equal(scores, classifier(batch))
    assert maps.shape == (3, 6, 6, 7) and maps.dtype == np.float32
    logits = np.log(scores) - np.array(classifier.card.bias)
    means = maps.mean(axis=(1, 2)) / classifier.card.temperature
    np.testing.assert_allclose(logits - logits[:, :1], means - means[:, :1], atol=1e-3)


def test_no_face_has_no_maps():
    scores, maps = ExpressionClassifier().read(faces(0))
    assert scores.shape == (0, 7) and maps.shape == (0, 6, 6, 7)


def test_a_model_without_maps_gives_zeros(monkeypatch):
    classifier = ExpressionClassifier()
    run = classifier._run
    monkeypatch.setattr(classifier, "_run", lambda **inputs: {"logits": run(**inputs)["logits"]})
    scores, maps = classifier.read(faces(2))
    assert scores.shape == (2, 7)
    assert maps.shape == (2, 6, 6, 7) and not maps.any()


def test_attention_is_what_speaks_for_the_class_named_as_a_share_of_its_most():
    maps = np.zeros((3, 6, 6, 7), np.float32)
    maps[0, 1, 2, 3], maps[0, 4, 5, 3], maps[0, 0, 0, 3] = 8, 2, -5
    maps[0, 3, 3, 4] = 9
    maps[1] = -1
    attention = attend(maps, np.array([3, 0, 6]))
    assert attention.dtype == np.float32 and attention.shape == (3, 6, 6)
    assert attention[0, 1, 2] == 1 and attention[0, 4, 5] == 0.25
    assert attention.sum() == 1.25, "nothing speaks for what the others show"
    assert attend(maps[:0], np.array([], int)).shape == (0, 6, 6)


def test_classifiers_of_many_threads_do_not_disturb_each_other():
    batches = [faces(4, seed) for seed in range(8)]
    expected = [ExpressionClassifier()(batch) for batch in batches]
    answers = [None] * len(batches)

    def work(i):
        classifier = ExpressionClassifier()
        for _ in range(20):
            answers[i] = classifier(batches[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(a, b) for a, b in zip(answers, expected, strict=True))


def test_one_classifier_gives_eight_threads_what_it_gives_alone():
    classifier = ExpressionClassifier()
    batches = [faces(count) for count in range(1, 9)]
    expected = [classifier.read(batch) for batch in batches]

    def work(batch):
        return [classifier.read(batch) for _ in range(20)]

    with ThreadPoolExecutor(len(batches)) as threads:
        for answers, (scores, maps) in zip(threads.map(work, batches), expected, strict=True):
            assert all((a == scores).all() and (b == maps).all() for a, b in answers)


def test_a_model_is_found_by_folder_file_and_environment(model, monkeypatch):
    assert resolve_model(model) == resolve_model(model / LITERT_FILE) == model / LITERT_FILE
    monkeypatch.setenv("FER_MODEL", str(model))
    assert resolve_model() == model / LITERT_FILE


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"no model at .*nowhere"):
        ExpressionClassifier(tmp_path / "nowhere")


def test_a_keras_file_is_answered_with_the_command_that_converts_it(tmp_path):
    with pytest.raises(ModelError, match="python -m fer export --model"):
        ExpressionClassifier(tmp_path / "fer.keras")


@pytest.mark.parametrize("spoil", [lambda data: data[:1000], lambda data: b"", lambda d: d + b"x"])
def test_a_truncated_or_exchanged_model_is_refused(model, spoil):
    file = model / LITERT_FILE
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(ModelError, match="SHA-256"):
        ExpressionClassifier(model)


def test_a_card_of_other_files_does_not_vouch_for_this_one_and_one_of_none_leaves_it_open(model):
    edit_card(model, sha256={"other.tflite": "0" * 64})
    with pytest.raises(ModelError, match="SHA-256"):
        ExpressionClassifier(model)
    edit_card(model, sha256={})
    assert ExpressionClassifier(model)(faces(1)).shape == (1, 7)


@pytest.mark.parametrize("size", [0, 100, 20_000, -1])
def test_a_truncated_model_that_no_card_vouches_for_is_refused_too(model, size):
    edit_card(model, sha256={})
    file = model / LITERT_FILE
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ModelError, match="no LiteRT model"):
        ExpressionClassifier(model)


def test_a_file_that_is_no_model_is_refused_even_if_its_card_vouches_for_it(model):
    from fer.card import sha256

    file = model / LITERT_FILE
    file.write_bytes(b"no model at all")
    edit_card(model, sha256={LITERT_FILE: sha256(file)})
    with pytest.raises(ModelError, match="no LiteRT model"):
        ExpressionClassifier(model)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]},
        {"pixel_range": [0.0, 1.0]},
        {"input_size": 64},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"bias": [float("inf")] * 7},
        {"bias": [0.0]},
        {"reliability": []},
        {"reliability": [[0, 0], [0.5, 0.6], [1, 0.5]]},
        {"reliability": [[0, 0], [1, 1.2]]},
        {"reliability": [[0, 0], [0, 1]]},
    ],
)
def test_a_model_with_other_labels_or_pixels_is_refused(model, changes):
    edit_card(model, **changes)
    with pytest.raises(ModelError, match="another kind of model"):
        ExpressionClassifier(model)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"network": 1}'])
def test_a_damaged_card_is_refused(model, text):
    (model / CARD_FILE).write_text(text)
    with pytest.raises(ModelError, match="damaged"):
        ExpressionClassifier(model)


def test_a_model_without_a_card_is_refused(model):
    (model / CARD_FILE).unlink()
    with pytest.raises(ModelError, match="needs the card"):
        ExpressionClassifier(model)


def test_the_likeliest_becomes_as_likely_as_such_answers_are_right_and_stays_the_likeliest(model):
    edit_card(model, reliability=STRAIGHT)
    before = ExpressionClassifier(model)(faces(64))
    edit_card(model, reliability=[[0, 0], [0.5, 0.05], [1, 0.9]])
    after = ExpressionClassifier(model)(faces(64))
    said = before.max(axis=1)
    right = np.interp(said, [0, 0.5, 1], [0, 0.05, 0.9])
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)
    free = after.max(axis=1) > np.sort(after, axis=1)[:, -2] + 1e-4
    assert free.any() and not free.all()
    np.testing.assert_allclose(after.max(axis=1)[free], right[free], atol=1e-6)
    assert (after.max(axis=1) >= right - 1e-6).all()


def test_a_network_that_is_quite_sure_still_gives_probabilities():
    card = ModelCard("se_resnet", reliability=((0, 0), (1, 0.97)))
    scores = calibrated(np.array([[1000.0, 0, 0, 0, 0, 0, 0], [5.0] * 7]), card)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert scores[0].tolist() == pytest.approx([0.97, *[0.005] * 6])


def test_the_bias_is_added_to_the_logits_after_the_temperature(model):
    edit_card(model, bias=[0.0] * 7)
    before = ExpressionClassifier(model)(faces(8))
    edit_card(model, bias=[0, 0, np.log(3), 0, 0, 0, 0])
    after = ExpressionClassifier(model)(faces(8))
    np.testing.assert_allclose(
        after[:, 2] / after[:, 3], 3 * before[:, 2] / before[:, 3], rtol=1e-4
    )


def test_the_temperature_softens_the_scores_and_keeps_their_order(model):
    edit_card(model, bias=[0.0] * 7)
    sharp = ExpressionClassifier(model)(faces(8))
    edit_card(model, temperature=ExpressionClassifier(model).card.temperature * 4)
    soft = ExpressionClassifier(model)(faces(8))
    assert (soft.max(axis=1) < sharp.max(axis=1)).all()
    assert (soft.argmax(axis=1) == sharp.argmax(axis=1)).all()
