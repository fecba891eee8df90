import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fer.errors import DatasetError, TrainingError
from fer.preprocessing import network_input
from fer.training import train as training
from fer.training.augmentation import AugmentedBatches, augment, mixup
from fer.training.datasets import FaceDataset
from fer.training.distillation import soft_targets
from fer.training.networks import NETWORKS
from fer.training.recipes import RECIPES, Recipe, Step, choose_recipe
from fer.training.train import check_run, train
from tests.training_data import draw_face, draw_votes, make_dataset, make_rows, tiny_network

ROOT = Path(__file__).parent.parent
DATASET = make_dataset(make_rows())
RECIPE = Recipe(network="tiny", epochs=8, batch_size=8)

# Slowly enough to be killed before it is over.
RUN_IN_ANOTHER_PROCESS = """
import sys, time
from pathlib import Path
from tests.test_training import DATASET, NETWORKS, RECIPE, tiny_network, train, training
save = training.Checkpoint.on_epoch_end
training.Checkpoint.on_epoch_end = lambda *given: (save(*given), time.sleep(1))
NETWORKS["tiny"] = tiny_network
train(DATASET, RECIPE, Path(sys.argv[1]))
"""


pytestmark = [
    # Keras leaves its log open when a run is broken off, and converts arrays the old way.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", tiny_network)
        yield


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from its first epoch to its last."""
    out = tmp_path_factory.mktemp("unbroken") / "run"
    train(DATASET, RECIPE, out)
    return out


def logged_epochs(out: Path) -> list[int]:
    with open(out / "log.csv", newline="") as lines:
        return [int(row["epoch"]) for row in csv.DictReader(lines)]


def assert_same_network(one: Path, other: Path) -> None:
    weights = [keras.saving.load_model(out / "fer.keras").get_weights() for out in (one, other)]
    for left, right in zip(*weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


def break_off(
    monkeypatch: pytest.MonkeyPatch,
    out: Path,
    epoch: int,
    saved: bool,
    recipe: Recipe = RECIPE,
    dataset: FaceDataset = DATASET,
) -> None:
    """Start a run and break it off at the end of an epoch, its checkpoint written or not."""
    save = training.Checkpoint.on_epoch_end

    def fail(self: object, number: int, logs: dict[str, float] | None = None) -> None:
        if number == epoch and not saved:
            raise KeyboardInterrupt
        save(self, number, logs)
        if number == epoch:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Checkpoint, "on_epoch_end", fail)
        with pytest.raises(KeyboardInterrupt):
            train(dataset, recipe, out)


def test_run_leaves_a_network_a_log_and_curves(unbroken: Path) -> None:
    assert logged_epochs(unbroken) == list(range(8))
    assert (unbroken / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((unbroken / "run.json").read_text()) == asdict(RECIPE) | {"teachers": []}
    assert keras.saving.load_model(unbroken / "fer.keras").output_shape == (None, 7)
    assert not list(unbroken.glob("partial*"))


def test_what_is_kept_is_the_average_of_the_weights_that_was_measured(unbroken: Path) -> None:
    public = DATASET.split("public")
    model = keras.saving.load_model(unbroken / "fer.keras", compile=False)
    logits = model.predict(network_input(public.faces), verbose=0)
    with open(unbroken / "log.csv", newline="") as lines:
        last = list(csv.DictReader(lines))[-1]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = powers / powers.sum(axis=1, keepdims=True)
    loss = -np.log(scores[np.arange(len(public)), public.labels]).mean()
    assert loss == pytest.approx(float(last["val_loss"]), abs=1e-4)


@pytest.mark.parametrize("saved", [True, False], ids=["after", "before"])
def test_run_broken_off_round_a_checkpoint_ends_as_an_unbroken_one(
    saved: bool, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off(monkeypatch, tmp_path / "run", epoch=2, saved=saved)
    assert logged_epochs(tmp_path / "run") == [0, 1, 2]
    train(DATASET, RECIPE, tmp_path / "run", resume=True)
    assert logged_epochs(tmp_path / "run") == list(range(8))
    assert_same_network(tmp_path / "run", unbroken)


@pytest.mark.slow
def test_run_killed_at_any_moment_loses_one_epoch_at_most(unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_IN_ANOTHER_PROCESS, str(out)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.DEVNULL,
    )
    while process.poll() is None and not (out / "checkpoint.weights.h5").exists():
        time.sleep(0.005)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    process.kill()
    assert process.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    before = logged_epochs(out)
    train(DATASET, RECIPE, out, resume=True)
    assert len(before) >= 1
    assert logged_epochs(out) == list(range(8))
    assert_same_network(out, unbroken)


def test_run_broken_off_before_its_network_was_written_writes_it(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off(monkeypatch, tmp_path / "run", epoch=7, saved=True)
    train(DATASET, RECIPE, tmp_path / "run", resume=True)
    assert_same_network(tmp_path / "run", unbroken)


def test_finished_run_resumes_to_what_it_is(unbroken: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in unbroken.iterdir()}
    assert train(DATASET, RECIPE, unbroken, resume=True) == unbroken / "fer.keras"
    assert {path.name: path.stat().st_mtime_ns for path in unbroken.iterdir()} == before


def test_second_run_into_the_same_folder_is_refused(unbroken: Path) -> None:
    with pytest.raises(TrainingError, match="holds a network already: add --resume"):
        train(DATASET, RECIPE, unbroken)


def test_resuming_a_damaged_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(TrainingError, match=r"run\.json is damaged .* in another folder\."):
        check_run(RECIPE, tmp_path, resume=True)


def test_resuming_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no run to resume"):
        train(DATASET, RECIPE, tmp_path, resume=True)


def test_resuming_with_another_recipe_names_what_differs(unbroken: Path) -> None:
    with pytest.raises(TrainingError, match="its epochs is 8, not 9"):
        check_run(replace(RECIPE, epochs=9), unbroken, resume=True)


def test_resuming_with_other_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off(monkeypatch, tmp_path / "run", epoch=0, saved=True)
    other = make_dataset(make_rows(training=5))
    with pytest.raises(TrainingError, match="another number of training faces"):
        train(other, RECIPE, tmp_path / "run", resume=True)


def test_unknown_network_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no network 'lenet'; choose one of: se_resnet"):
        train(DATASET, Recipe(network="lenet"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_diverged_run_is_an_error_and_saves_no_network(tmp_path: Path) -> None:
    wild = replace(RECIPE, learning_rate=1e20, warmup_epochs=0)
    with pytest.raises(TrainingError, match="diverged"):
        train(DATASET, wild, tmp_path / "run")
    assert not (tmp_path / "run" / "fer.keras").exists()
    assert not (tmp_path / "run" / "checkpoint.weights.h5").exists()


def test_fewer_faces_than_a_batch_and_no_public_test_will_do(tmp_path: Path) -> None:
    few = make_dataset(make_rows(training=1, public=0, private=0))
    out = tmp_path / "run"
    train(few, Recipe(network="tiny", epochs=2), out)
    assert logged_epochs(out) == [0, 1]
    assert (out / "fer.keras").exists()
    assert (out / "curves.png").exists()


def test_data_without_training_faces_starts_no_run(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no picture of the split 'training'"):
        train(make_dataset(make_rows(training=0)), RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_epoch_of_batches_hangs_on_its_number_only() -> None:
    targets = soft_targets(DATASET.labels, 0.1)
    walked, jumped = (AugmentedBatches(DATASET.faces, targets, 8) for _ in range(2))
    first = walked[0][0]
    walked.start_at(1)
    walked.start_at(2)
    jumped.start_at(2)
    for index in (3, 0, 3):
        for left, right in zip(walked[index], jumped[index], strict=True):
            assert np.array_equal(left, right)
    assert not np.array_equal(first, jumped[0][0])


def test_each_face_is_shown_once_an_epoch() -> None:
    labels = np.arange(14) % 7
    faces = np.stack([np.full((48, 48), 10 * i, np.uint8) for i in range(14)])
    batches = AugmentedBatches(faces, soft_targets(labels, 0.1), batch_size=7)
    shown = np.concatenate([batches._order[i * 7 : i * 7 + 7] for i in range(len(batches))])
    assert sorted(shown) == list(range(14))


def test_augmented_faces_are_still_faces_of_their_kind() -> None:
    face = draw_face(3, 0)
    changed = [augment(face, np.random.default_rng(seed)) for seed in range(100)]
    assert all(c.shape == (48, 48) and c.dtype == np.uint8 for c in changed)
    assert np.array_equal(face, draw_face(3, 0)), "the data set itself was changed"
    assert np.abs(np.mean(changed, axis=0) - face).mean() < 40
    assert len({c.tobytes() for c in changed}) == 100


def test_mixup_blends_faces_and_targets_with_one_share() -> None:
    inputs = np.array([0, 100], np.float32).reshape(2, 1, 1, 1)
    targets = np.eye(2, dtype=np.float32)
    mixed, blended = mixup(inputs, targets, 0.2, np.random.default_rng(0))
    assert mixed[0, 0, 0, 0] / 100 == pytest.approx(blended[0, 1])
    assert blended.sum(axis=1) == pytest.approx([1, 1])


@pytest.mark.parametrize(
    "changes",
    [
        {"votes": 0.5},
        {"optimizer": "adam", "ema": 0.0, "weight_decay": 0.0},
        {"augment": False, "mixup": 0.0, "label_smoothing": 0.0},
        {"precision": "mixed_bfloat16"},
    ],
    ids=["votes", "adam", "plain", "bfloat16"],
)
def test_recipe_can_be_changed_and_resumed(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=3, **changes)
    dataset = replace(DATASET, votes=draw_votes(DATASET.labels))
    break_off(monkeypatch, tmp_path / "run", epoch=0, saved=True, recipe=recipe, dataset=dataset)
    network = train(dataset, recipe, tmp_path / "run", resume=True)
    assert logged_epochs(tmp_path / "run") == [0, 1, 2]
    assert {layer.dtype_policy.name for layer in keras.saving.load_model(network).layers} == {
        "float32"
    }


def test_run_learns_from_a_teacher_and_resumes(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=3, teachers=(str(unbroken / "fer.keras"),))
    break_off(monkeypatch, tmp_path / "broken", epoch=1, saved=True, recipe=recipe)
    train(DATASET, recipe, tmp_path / "broken", resume=True)
    train(DATASET, recipe, tmp_path / "whole")
    assert_same_network(tmp_path / "broken", tmp_path / "whole")
    student = keras.saving.load_model(tmp_path / "whole" / "fer.keras")
    assert student.count_params() == tiny_network().count_params(), "the teacher stays behind"


def test_run_starts_from_a_trained_network(unbroken: Path, tmp_path: Path) -> None:
    trained = unbroken / "fer.keras"
    recipe = replace(RECIPE, epochs=1, learning_rate=1e-9, ema=0.0, start=str(trained))
    started = keras.saving.load_model(train(DATASET, recipe, tmp_path))
    for ours, theirs in zip(
        started.trainable_weights, keras.saving.load_model(trained).trainable_weights, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_start_from_a_network_of_another_kind_is_refused(unbroken: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, network="emoji_cnn", start=str(unbroken / "fer.keras"))
    with pytest.raises(TrainingError, match="its weights do not fit"):
        train(DATASET, recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_votes_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"fer2013new\.csv does not lie beside the data"):
        train(DATASET, replace(RECIPE, votes=0.5), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_recipe_is_changed_only_where_something_else_is_asked_for() -> None:
    usual = RECIPES["se_resnet18"]
    assert choose_recipe("se_resnet18", epochs=None, learning_rate=None) == usual
    changed = choose_recipe("se_resnet18", [Step.MIXUP, Step.AVERAGE], epochs=3)
    assert changed == replace(usual, mixup=0.0, ema=0.0, epochs=3)
    assert len({choose_recipe("vgg", [step]) for step in Step} | {choose_recipe("vgg")}) == 5
    assert choose_recipe("mine") == Recipe(network="mine")


def test_unknown_precision_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no precision 'half'; choose one of: float32"):
        train(DATASET, replace(RECIPE, precision="half"), tmp_path / "run")
