"""Softer targets than a label: what FER+ taggers said, and what other networks say.

About every third of FER-2013's labels would have been another with another
labeller. A target that says how likely each label is teaches more than one draw of it.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from fer.expressions import EXPRESSIONS
from fer.training.export import load_network


def with_teachers(
    student: keras.Model, teachers: Sequence[Path], share: float, temperature: float
) -> keras.Model:
    """Put a student beside its teachers for training (Hinton et al. 2015, arXiv:1503.02531).

    All see the same augmented faces (Beyer et al. 2022, arXiv:2106.05237). The
    result has the student's weights, inputs and outputs; the teachers add to
    the loss only.

    Args:
        student: From faces to logits.
        teachers: ``.keras`` files; their logits are averaged.
        share: Share of the loss that is the teachers'.
        temperature: What all logits are divided by for that share.

    Returns:
        From faces to the student's logits; to be compiled with a loss of its own.

    Raises:
        ModelError: A file cannot be read, or is not one of ours.
    """
    logits = []
    for index, path in enumerate(teachers):
        teacher = load_network(path)
        teacher.name = f"teacher_{index}"
        teacher.trainable = False
        for layer in teacher.layers:
            # Keras lets a frozen network's dropout go on while its student trains.
            if isinstance(layer, layers.Dropout):
                layer.rate = 0.0
        logits.append(teacher(student.input))
    averaged = layers.Average(dtype="float32")(logits) if len(logits) > 1 else logits[0]
    outputs = _TeachersLoss(share, temperature)(student.output, averaged)
    return keras.Model(student.input, outputs, name=student.name)


class _TeachersLoss(layers.Layer):
    """Passes the student's logits on, and adds how far they are from the teachers'."""

    def __init__(self, share: float, temperature: float) -> None:
        super().__init__(dtype="float32")
        self._share = share
        self._temperature = temperature

    def call(
        self, student: keras.KerasTensor, teacher: keras.KerasTensor, training: bool = False
    ) -> keras.KerasTensor:
        if training:
            soft = ops.softmax(teacher / self._temperature)
            said = ops.log_softmax(student / self._temperature)
            entropy = -ops.mean(ops.sum(soft * said, axis=-1))
            # The gradient of softened logits shrinks with the temperature's square.
            self.add_loss(self._share * self._temperature**2 * entropy)
        return student


def soft_targets(
    labels: npt.NDArray[np.integer],
    smoothing: float,
    likelihoods: npt.NDArray[np.float32] | None = None,
    share: float = 0.0,
) -> npt.NDArray[np.float32]:
    """Make the targets of training faces.

    Args:
        labels: Class ids, shape (n,).
        smoothing: Share that a label gives away to all expressions alike.
        likelihoods: Of each label, as `fer.training.ferplus.label_likelihoods`
            gives them, float32 of shape (n, 7).
        share: Share of the likelihoods; the rest is the smoothed label's.

    Returns:
        Probabilities, float32 of shape (n, 7).
    """
    count = len(EXPRESSIONS)
    targets = np.eye(count, dtype=np.float32)[labels] * (1 - smoothing) + smoothing / count
    if likelihoods is not None:
        targets = (1 - share) * targets + share * likelihoods
    return np.asarray(targets, np.float32)
