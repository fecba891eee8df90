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

_REDUCTION = 8  # ratio r of squeeze-and-excitation: of channels to those that say how they weigh


def se_resnet(
    widths: tuple[int, ...] = (32, 64, 160),
    blocks: tuple[int, ...] = (1, 1, 2),
    first_stride: int = 2,
    name: str = "se_resnet",
) -> keras.Model:
    """Residual network with squeeze-and-excitation, for a face 48 pixels wide.

    Plain 3×3 convolutions; each stage but perhaps the first halves the picture,
    so that 6×6 places remain. A 1×1 convolution turns these into a map for each class, and the
    mean of a map is the class's logit: the same sum as pooling first and a
    dense layer after it, but the maps show for free where the network looks
    (class activation maps, Zhou et al. 2016, arXiv:1512.04150).

    Args:
        widths: Channels of each stage.
        blocks: Residual blocks of each stage.
        first_stride: Stride of the first stage: 2 is a quarter of the work of 1.
        name: The network's name.

    Returns:
        The network; `ATTENTION_LAYER` names the layer of the maps.
    """
    inputs, x = _input(offset=-1)
    x = _convolution(x, widths[0])
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for index in range(count):
            stride = first_stride if stage == 0 else 2
            x = _residual_block(x, width, strides=stride if index == 0 else 1)
    return keras.Model(inputs, _pooled_maps(x), name=name)


def se_resnet18() -> keras.Model:
    """`se_resnet` as wide and deep as ResNet-18, 11 M parameters: a teacher."""
    return se_resnet((64, 128, 256, 512), (2, 2, 2, 2), first_stride=1, name="se_resnet18")


def vgg() -> keras.Model:
    """VGG-13 with batch normalization (Simonyan and Zisserman 2015), 9.4 M parameters: a teacher.

    The last pooling and the dense layers make way for the maps of `se_resnet`.
    """
    inputs, x = _input(offset=-1)
    for stage, width in enumerate((64, 128, 256, 512, 512)):
        if stage in (1, 2, 3):
            x = layers.MaxPooling2D()(x)
        x = _convolution(_convolution(x, width), width)
    return keras.Model(inputs, _pooled_maps(x), name="vgg")


def emoji_cnn() -> keras.Model:
    """Four convolutions without padding and a wide dense layer, 2.3 M parameters.

    The network of the projects that show an emoji for the face before the camera.
    """
    inputs, x = _input(offset=0)
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Conv2D(128, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(128, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.25)(x)
    return keras.Model(inputs, _dense_head(x, (1024,), dropout=0.5), name="emoji_cnn")


def four_block_cnn() -> keras.Model:
    """Four blocks of convolution, normalization, pooling and dropout, two dense layers, 4.5 M."""
    inputs, x = _input(offset=0)
    for width, size in ((64, 3), (128, 5), (512, 3), (512, 3)):
        x = layers.Conv2D(width, size, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(0.25)(x)
    return keras.Model(inputs, _dense_head(x, (256, 512), dropout=0.25), name="four_block_cnn")


def sequential_cnn() -> keras.Model:
    """Four convolutions with pooling and two dense layers, nothing else: the textbook's CNN."""
    inputs, x = _input(offset=0)
    for width in (32, 64, 128, 128):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    return keras.Model(inputs, _dense_head(x, (256, 128), dropout=0.0), name="sequential_cnn")


def _input(offset: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Begin a network: 0 to 255 becomes 0 to 1, or with an offset of −1, −1 to 1."""
    inputs = layers.Input((INPUT_SIZE, INPUT_SIZE, 1), name="faces")
    return inputs, layers.Rescaling((1 - offset) / 255, offset=offset)(inputs)


def _pooled_maps(x: keras.KerasTensor) -> keras.KerasTensor:
    """End a network in a map for each class and its mean, the logit."""
    x = layers.Dropout(0.2)(x)
    maps = layers.Conv2D(len(EXPRESSIONS), 1, name=ATTENTION_LAYER)(x)
    return layers.GlobalAveragePooling2D(dtype="float32", name="logits")(maps)


def _dense_head(x: keras.KerasTensor, widths: tuple[int, ...], dropout: float) -> keras.KerasTensor:
    """End a network in dense layers. The softmax after them belongs to the loss and the apps."""
    x = layers.Flatten()(x)
    for width in widths:
        x = layers.Dense(width, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    return layers.Dense(len(EXPRESSIONS), dtype="float32", name="logits")(x)


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


def _squeeze_and_excitation(x: keras.KerasTensor) -> keras.KerasTensor:
    """Weigh the channels by what the whole picture shows (Hu et al. 2018, arXiv:1709.01507)."""
    width = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(width // _REDUCTION, 1, activation="relu")(gate)
    gate = layers.Conv2D(width, 1, activation="sigmoid")(gate)
    return layers.Multiply()([x, gate])


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    builder.__name__: builder
    for builder in (se_resnet, se_resnet18, vgg, emoji_cnn, four_block_cnn, sequential_cnn)
}
"""Builders by the name that the command line takes."""
