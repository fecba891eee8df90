"""The recipe: from a data set and the name of a network to ``fer.keras``.

A run writes into its own folder:

- ``run.json``: what was asked for, so that a resumed run cannot differ
- ``checkpoint.weights.h5``: the state after the last whole epoch
- ``log.csv`` and ``curves.png``: loss and accuracy of each epoch
- ``fer.keras``: the trained network, an average over the last part of the run
"""

import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from fer.card import KERAS_FILE
from fer.errors import TrainingError
from fer.preprocessing import network_input
from fer.training.augmentation import AugmentedBatches
from fer.training.callbacks import Chance, Checkpoint, Curves, Divergence
from fer.training.datasets import FaceDataset
from fer.training.networks import NETWORKS

RUN_FILE = "run.json"
CHECKPOINT_FILE = "checkpoint.weights.h5"
LOG_FILE = "log.csv"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """What decides a run, beside the data.

    Attributes:
        network: Name in `fer.training.networks.NETWORKS`.
        epochs: Times that every face is shown. The learning rate's course
            stretches over all of them, so a run cannot be made longer later.
        batch_size: Faces in a batch.
        learning_rate: The highest; reached after the warm-up, then down to zero
            along half a cosine.
        warmup_epochs: Epochs over which the learning rate rises.
        momentum: Nesterov momentum of stochastic gradient descent.
        weight_decay: Share of a weight, times the learning rate, that each step
            takes away. Keras takes it from the weight itself, past the
            momentum, so 5e-3 here is what others write as 5e-4.
        ema: Share of the old average that stays at each step. The averaged
            weights are what is measured and kept.
        seed: Seed of the weights and of everything random about the batches.
    """

    network: str = "se_resnet"
    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 0.05
    warmup_epochs: int = 2
    momentum: float = 0.9
    weight_decay: float = 5e-3
    ema: float = 0.999
    seed: int = 0


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
        TrainingError: The network's name is unknown, `out` and `resume` do
            not go together, or the training diverged.
    """
    trained = out / KERAS_FILE
    check_run(recipe, out, resume)
    if trained.exists():
        _log.info("the run in %s is finished: nothing to resume", out)
        return trained
    training = dataset.clean_training()
    out.mkdir(parents=True, exist_ok=True)
    _write(out / RUN_FILE, json.dumps(asdict(recipe), indent=2) + "\n")
    keras.utils.set_random_seed(recipe.seed)
    _log.info("training on %d faces of %d", len(training), len(dataset.split("training")))
    batches = AugmentedBatches(training.faces, training.labels, recipe.batch_size, recipe.seed)
    model = NETWORKS[recipe.network]()
    _compile(model, recipe, len(batches))
    done = _restore(model, out, len(batches))
    model.fit(
        batches,
        epochs=recipe.epochs,
        initial_epoch=done,
        validation_data=_validation(dataset),
        callbacks=[
            Chance(batches, recipe.seed),
            Divergence(),
            keras.callbacks.SwapEMAWeights(),
            keras.callbacks.CSVLogger(out / LOG_FILE, append=True),
            Curves(out / LOG_FILE),
            Checkpoint(out / CHECKPOINT_FILE),  # last, when all else is written
        ],
        shuffle=False,  # the batches shuffle the faces themselves, and repeatably
        verbose=1 if sys.stdout.isatty() else 2,
    )
    # A model of its own, so that the optimizer, twice its size, stays out of the file.
    keras.Model(model.inputs, model.outputs, name=model.name).save(out / "partial.keras")
    os.replace(out / "partial.keras", trained)
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
    if not resume:
        if (out / RUN_FILE).exists() or (out / KERAS_FILE).exists():
            raise TrainingError(
                f"{out} holds a network already: add --resume, or give another folder as --out."
            )
        return
    if not (out / RUN_FILE).is_file():
        raise TrainingError(f"{out} holds no run to resume: leave --resume away to start one.")
    started = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
    for name, value in asdict(recipe).items():
        if started.get(name) != value:
            raise TrainingError(
                f"{out} holds another run: its {name} is {started.get(name)}, not {value}. "
                "Resume it with what it was started with."
            )


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
    _keep_log(out / LOG_FILE, done)
    return done


def _compile(model: keras.Model, recipe: Recipe, steps_per_epoch: int) -> None:
    warmup = min(recipe.warmup_epochs, recipe.epochs - 1) * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate if warmup == 0 else 0.0,
        decay_steps=recipe.epochs * steps_per_epoch - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.SGD(
        schedule,
        momentum=recipe.momentum,
        nesterov=True,
        weight_decay=recipe.weight_decay,
        use_ema=True,
        ema_momentum=recipe.ema,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def _validation(dataset: FaceDataset) -> tuple[object, object] | None:
    if "PublicTest" not in dataset.usage:
        return None
    public = dataset.split("public")
    return network_input(public.faces), keras.utils.to_categorical(public.labels, 7)


def _keep_log(path: Path, epochs: int) -> None:
    """Drop what the log says of epochs that the checkpoint has not seen."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    _write(path, "".join(lines[: epochs + 1] if epochs else []))


def _write(path: Path, text: str) -> None:
    """Write a small file, whole or not at all."""
    partial = path.with_name(f"partial-{path.name}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
