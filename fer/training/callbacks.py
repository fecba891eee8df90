"""What happens around the epochs of a training run."""

import os
from pathlib import Path

import keras
import numpy as np

from fer.errors import TrainingError
from fer.training.augmentation import AugmentedBatches
from fer.training.plots import plot_curves


class Checkpoint(keras.callbacks.Callback):
    """Saves weights and optimizer after each epoch, whole or not at all.

    Args:
        path: Where to, a ``.weights.h5``.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save, then put the file in its place."""
        partial = self._path.with_name("partial.weights.h5")
        self.model.save_weights(partial)
        os.replace(partial, self._path)


class Chance(keras.callbacks.Callback):
    """Lets all that is random hang on the seed and the epoch only.

    A resumed run then goes on as an unbroken one would have: neither the order
    of the faces nor the state of dropout stands in a checkpoint.

    Args:
        batches: What is trained on.
        seed: Seed of everything random.
    """

    def __init__(self, batches: AugmentedBatches, seed: int) -> None:
        super().__init__()
        self._batches = batches
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Begin the epoch with its own chance."""
        self._batches.start_at(epoch)
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        for index, state in enumerate(states):
            state.assign(np.array([self._seed + index, epoch], np.uint32))


class Divergence(keras.callbacks.Callback):
    """Ends a run that has left the numbers, before anything of it is saved."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Check the weights.

        Raises:
            TrainingError: One of them is not finite.
        """
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise TrainingError(
                "The loss is no number any more: the training diverged and was ended. "
                "Lower the learning rate (--learning-rate)."
            )


class Curves(keras.callbacks.Callback):
    """Draws the log anew after each epoch, into ``curves.png`` beside it.

    Args:
        log: As `keras.callbacks.CSVLogger` writes it.
    """

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw what the log holds."""
        plot_curves(self._log, self._log.with_name("curves.png"))
