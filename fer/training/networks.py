"""The networks by name.

Every builder takes nothing and returns an uncompiled `keras.Model` from grey
faces, float32 of shape (n, 48, 48, 1) in 0 to 255, to logits of shape (n, 7).
The scaling is the first layer, so it can never be forgotten or done twice.
"""

from collections.abc import Callable

import keras
from keras import layers

from fer.expressions import EXPRESSIONS
from fer.preprocessing import INPUT_SIZE

ATTENTION_LAYER = "attention"
"""Name of the layer whose output is one class activation map for each class."""


def se_resnet(
    widths: tuple[int, ...] = (32, 64, 160), blocks: tuple[int, ...] = (1, 1, 2)
) -> keras.Model:
    """Residual network with squeeze-and-excitation, for a face 48 pixels wide.

    Plain 3×3 convolutions; each stage halves the picture, so that 6×6 places
    remain. A 1×1 convolution turns these into a map for each class, and the
    mean of a map is the class's logit: the same sum as pooling first and a
    dense layer after it, but the maps show for free where the network looks
    (class activation maps, Zhou et al. 2016, arXiv:1512.04150).

    Args:
        widths: Channels of each stage.
        blocks: Residual blocks of each stage.

    Returns:
        The network; `ATTENTION_LAYER` names the layer of the maps.
    """
    inputs = layers.Input((INPUT_SIZE, INPUT_SIZE, 1), name="faces")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = _convolution(x, widths[0])
    for width, count in zip(widths, blocks, strict=True):
        for index in range(count):
            x = _residual_block(x, width, strides=2 if index == 0 else 1)
    x = layers.Dropout(0.2)(x)
    maps = layers.Conv2D(len(EXPRESSIONS), 1, name=ATTENTION_LAYER)(x)
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="logits")(maps)
    return keras.Model(inputs, logits, name="se_resnet")


def _convolution(
    x: keras.KerasTensor, width: int, size: int = 3, strides: int = 1, activation: str = "relu"
) -> keras.KerasTensor:
    x = layers.Conv2D(
        width, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.Activation(activation)(x)


def _residual_block(x: keras.KerasTensor, width: int, strides: int) -> keras.KerasTensor:
    """Two convolutions, squeeze-and-excitation, and the way round them."""
    shortcut = x
    if strides > 1 or x.shape[-1] != width:
        shortcut = layers.AveragePooling2D(strides)(shortcut)
        shortcut = _convolution(shortcut, width, size=1, activation="linear")
    x = _convolution(x, width, strides=strides)
    x = _convolution(x, width, activation="linear")
    x = _squeeze_and_excitation(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


def _squeeze_and_excitation(x: keras.KerasTensor, ratio: int = 8) -> keras.KerasTensor:
    """Weigh the channels by what the whole picture shows (Hu et al. 2018, arXiv:1709.01507)."""
    width = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(width // ratio, 1, activation="relu")(gate)
    gate = layers.Conv2D(width, 1, activation="sigmoid")(gate)
    return layers.Multiply()([x, gate])


NETWORKS: dict[str, Callable[[], keras.Model]] = {"se_resnet": se_resnet}
"""Builders by the name that the command line takes."""
