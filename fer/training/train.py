"""From a data set and a recipe to ``fer.keras``, in a folder as `fer.training.runs` has it."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from fer.card import KERAS_FILE
from fer.errors import DatasetError, TrainingError
from fer.preprocessing import network_input
from fer.training.augmentation import AugmentedBatches
from fer.training.callbacks import Chance, Checkpoint, Curves, Divergence
from fer.training.datasets import FaceDataset
from fer.training.distillation import soft_targets, with_teachers
from fer.training.export import load_network
from fer.training.ferplus import VOTES_FILE, label_likelihoods
from fer.training.networks import NETWORKS
from fer.training.recipes import PRECISIONS, Recipe
from fer.training.runs import CHECKPOINT_FILE, LOG_FILE, check_folder, shorten_log, write_recipe

_log = logging.getLogger(__name__)


def train(dataset: FaceDataset, recipe: Recipe, out: Path, resume: bool = False) -> Path:
    """Train a network.

    The faces of PublicTest, where the data has them, are measured after each
    epoch, but decide nothing: what the last epoch leaves is what is kept.

    Args:
        dataset: All splits; training rows that are no good are left out here.
        recipe: What to train, and how.
        out: Folder of the run; made if it is not there.
        resume: Go on with the run that `out` holds.

    Returns:
        The path of ``fer.keras``.

    Raises:
        DatasetError: The data cannot be trained on.
        ModelError: A teacher, or the network to start from, is missing or not ours.
        TrainingError: The network's name is unknown, `out` and `resume` do
            not go together, or the training diverged.
    """
    trained = out / KERAS_FILE
    check_run(recipe, out, resume)
    if trained.exists():
        _log.info("the run in %s is finished: nothing to resume", out)
        return trained
    training = dataset.clean_training()
    batches = _batches(training, recipe)
    keras.utils.set_random_seed(recipe.seed)
    student, model = _networks(recipe)
    write_recipe(recipe, out)
    _log.info("training on %d faces of %d", len(training), len(dataset.split("training")))
    _compile(model, recipe, len(batches))
    done = _restore(model, out, len(batches))
    model.fit(
        batches,
        epochs=recipe.epochs,
        initial_epoch=done,
        validation_data=_validation(dataset),
        callbacks=_callbacks(batches, recipe, out),
        shuffle=False,  # the batches shuffle the faces themselves, and repeatably
        verbose=1 if sys.stdout.isatty() else 2,
    )
    _save(student, recipe, trained)
    return trained


def check_run(recipe: Recipe, out: Path, resume: bool) -> None:
    """Check that a run can be started in a folder, or be resumed there.

    Raises:
        TrainingError: As `train` does.
    """
    if recipe.network not in NETWORKS:
        raise TrainingError(
            f"There is no network {recipe.network!r}; choose one of: {', '.join(NETWORKS)}."
        )
    if recipe.precision not in PRECISIONS:
        raise TrainingError(
            f"There is no precision {recipe.precision!r}; choose one of: {', '.join(PRECISIONS)}."
        )
    check_folder(recipe, out, resume)


def _restore(model: keras.Model, out: Path, steps_per_epoch: int) -> int:
    """Load the checkpoint, where there is one, and return the number of epochs done."""
    checkpoint = out / CHECKPOINT_FILE
    if checkpoint.exists():
        model.optimizer.build(model.trainable_variables)
        model.load_weights(checkpoint)
    # The step counter lies in the checkpoint too: it says which epoch comes next.
    done, rest = divmod(int(model.optimizer.iterations), steps_per_epoch)
    if rest:
        raise TrainingError(f"The run in {out} was started with another number of training faces.")
    shorten_log(out / LOG_FILE, done)
    return done


def _batches(training: FaceDataset, recipe: Recipe) -> AugmentedBatches:
    likelihoods = None
    if recipe.votes:
        if training.votes is None:
            raise DatasetError(
                f"The recipe learns from FER+ votes, but {VOTES_FILE} does not lie beside the data."
            )
        likelihoods = label_likelihoods(training.votes, training.labels)
    return AugmentedBatches(
        training.faces,
        soft_targets(training.labels, recipe.label_smoothing, likelihoods, recipe.votes),
        recipe.batch_size,
        recipe.seed,
        change=recipe.augment,
        mixup_alpha=recipe.mixup,
    )


def _networks(recipe: Recipe) -> tuple[keras.Model, keras.Model]:
    """Return the network, and what is trained: it alone, or it beside its teachers."""
    with _precision(recipe.precision):
        student = NETWORKS[recipe.network]()
    if recipe.start:
        _start_from(student, Path(recipe.start))
    if not recipe.teachers:
        return student, student
    teachers = [Path(teacher) for teacher in recipe.teachers]
    return student, with_teachers(student, teachers, recipe.distillation, recipe.temperature)


def _start_from(student: keras.Model, path: Path) -> None:
    """Give a network the weights of a trained one of its kind."""
    try:
        student.set_weights(load_network(path).get_weights())
    except ValueError as error:  # not as many weights, or of other shapes
        raise TrainingError(
            f"{path} holds another network than {student.name}: its weights do not fit. "
            "Start from a network of the same name."
        ) from error


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Build layers under another dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _compile(model: keras.Model, recipe: Recipe, steps_per_epoch: int) -> None:
    warmup = min(recipe.warmup_epochs, recipe.epochs - 1) * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate if warmup == 0 else 0.0,
        decay_steps=recipe.epochs * steps_per_epoch - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    common = {
        "learning_rate": schedule,
        "weight_decay": recipe.weight_decay or None,
        "use_ema": recipe.ema > 0,
        "ema_momentum": recipe.ema or 0.99,  # checked, though unused, without an average
    }
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=recipe.momentum, nesterov=True, **common)
    else:
        optimizer = keras.optimizers.Adam(**common)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        loss_weights=[1 - recipe.distillation] if recipe.teachers else None,
        metrics=["accuracy"],
    )


def _callbacks(
    batches: AugmentedBatches, recipe: Recipe, out: Path
) -> list[keras.callbacks.Callback]:
    return [
        Chance(batches, recipe.seed),
        Divergence(),
        *([keras.callbacks.SwapEMAWeights()] if recipe.ema else []),
        keras.callbacks.CSVLogger(out / LOG_FILE, append=True),
        Curves(out / LOG_FILE),
        Checkpoint(out / CHECKPOINT_FILE),  # last, when all else is written
    ]


def _save(student: keras.Model, recipe: Recipe, path: Path) -> None:
    """Write a network of its own: without the optimizer, twice its size, and in full precision."""
    network = NETWORKS[recipe.network]()
    network.set_weights(student.get_weights())
    partial = path.with_name("partial.keras")
    network.save(partial)
    os.replace(partial, path)


def _validation(dataset: FaceDataset) -> tuple[object, object] | None:
    if "PublicTest" not in dataset.usage:
        return None
    public = dataset.split("public")
    return network_input(public.faces), keras.utils.to_categorical(public.labels, 7)
