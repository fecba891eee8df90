"""From a trained ``.keras`` file to the LiteRT file that the apps run."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from fer.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    STAGES_FILE,
    ModelCard,
    load_card,
    sha256,
)
from fer.errors import ModelError, TrainingError
from fer.expressions import EXPRESSIONS
from fer.preprocessing import INPUT_SIZE
from fer.training.networks import ATTENTION_LAYER
from fer.training.runs import read_recipe


def export_litert(keras_path: Path, out: Path, *, network: str | None = None) -> ModelCard:
    """Write ``fer.tflite``, ``stages.tflite``, ``fer.keras`` and ``card.json`` into a folder.

    The LiteRT files have the outputs ``logits``, float32 of shape (n, 7), and,
    where the network has them, the class activation maps ``attention``,
    float32 of shape (n, 6, 6, 7). The stages' file is for looking into the
    network: it has ``stage_1``, ``stage_2`` and so on too, as `find_stages`
    finds them, and half the size, since its weights have 16 bits. A network
    without stages has no such file.

    Args:
        keras_path: A network trained here.
        out: Folder to write to; made if it is not there.
        network: Its name for the card; by default what the run or the card
            beside it says, else the name that it was built with.

    Returns:
        The card that was written: with calibration and figures of a card of the
        same network, where one lies in `out` or beside the file.

    Raises:
        ModelError: The file cannot be read, or is not one of ours.
    """
    model = load_network(keras_path)
    out.mkdir(parents=True, exist_ok=True)
    held = _known_card(out, keras_path)
    known = _known_card(keras_path.parent, keras_path) or held
    _write_litert(model, out)
    _write_stages(model, out)
    _copy(keras_path, out / KERAS_FILE)
    name = network or _network_name(keras_path, known) or model.name
    written = [out / file for file in (KERAS_FILE, LITERT_FILE, STAGES_FILE)]
    digests = {path.name: sha256(path) for path in written if path.is_file()}
    others = held.sha256 if held else {}  # of the same network in other formats
    card = replace(known or ModelCard(name), network=name, sha256=others | digests)
    card.save(out)
    return card


def load_network(path: Path) -> keras.Model:
    """Read a ``.keras`` file, without running any code that it may carry.

    Returns:
        From grey faces, float32 of shape (n, 48, 48, 1) in 0 to 255, to logits
        of shape (n, 7); not compiled.

    Raises:
        ModelError: There is none, it is damaged, or eats or gives something else.
    """
    if path.suffix != ".keras" or not path.is_file():
        raise ModelError(f"There is no trained network at {path}; expected a .keras file.")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ModelError(f"{path} cannot be read as a Keras model: {reason}") from error
    shapes = (getattr(model, "input_shape", None), getattr(model, "output_shape", None))
    expected = ((None, INPUT_SIZE, INPUT_SIZE, 1), (None, len(EXPRESSIONS)))
    if shapes != expected:
        raise ModelError(
            f"{path} maps {shapes[0]} to {shapes[1]}; expected {expected[0]} to {expected[1]}."
        )
    # A network that was saved with lists of inputs and outputs gives lists of one.
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def find_stages(model: keras.Model) -> list[keras.KerasTensor]:
    """Find what the stages of a network make of a face, the first to the last.

    A stage ends where the picture is halved: with what the halving layer is given.
    The last ends with what the maps of the classes, or dense layers, are given.

    Args:
        model: Any network of ours, as `load_network` reads it.

    Returns:
        Tensors of shape (n, side, side, channels), with 2 channels at least.
    """
    inner = (keras.layers.InputLayer, keras.Model)  # the layers of a nested network are its own
    layers = [layer for layer in model.layers if not isinstance(layer, inner)]
    pictures = [layer for layer in layers if layer.name != ATTENTION_LAYER and _side(layer.output)]
    ends = [layer.input for layer in pictures if _side(layer.output) <= _side(layer.input) // 2]
    ends += [layer.output for layer in pictures[-1:]]
    # Two layers halve the same picture where there is a way round.
    return [end for end in {id(end): end for end in ends}.values() if end.shape[-1] > 1]


def _side(tensor: Any) -> int:
    """Return the side of a layer's picture; 0 for single numbers, and for several pictures."""
    shape: tuple[int, ...] = getattr(tensor, "shape", ())
    return shape[1] if len(shape) == 4 and shape[1] > 1 else 0


def _write_litert(model: keras.Model, out: Path) -> None:
    """Convert a network whose last layer gives logits; the outputs keep their names."""
    if keras.backend.backend() != "tensorflow":
        raise ModelError("LiteRT files are written by TensorFlow: set KERAS_BACKEND=tensorflow.")
    _convert(model, named_outputs(model), out / LITERT_FILE)


def _write_stages(model: keras.Model, out: Path) -> None:
    """Convert the network once more, with what its stages give, if it has any."""
    stages = {f"stage_{number}": end for number, end in enumerate(find_stages(model), start=1)}
    if not stages:
        (out / STAGES_FILE).unlink(missing_ok=True)  # that of another network
        return
    import tensorflow as tf

    _convert(
        model,
        named_outputs(model) | stages,
        out / STAGES_FILE,
        optimizations=[tf.lite.Optimize.DEFAULT],
        target_spec={"supported_types": [tf.float16]},
    )


def named_outputs(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """Return ``logits``, shape (n, 7), and ``attention``, (n, 6, 6, 7), where a network has it."""
    outputs = {"logits": model.output}
    if any(layer.name == ATTENTION_LAYER for layer in model.layers):
        outputs["attention"] = model.get_layer(ATTENTION_LAYER).output
    return outputs


def _convert(
    model: keras.Model, outputs: dict[str, keras.KerasTensor], target: Path, **how: Any
) -> None:
    """Write a LiteRT file; its name appears when it is whole."""
    partial = target.with_name("partial.tflite")
    keras.Model(model.input, outputs).export(partial, format="litert", verbose=False, **how)
    os.replace(partial, target)


def _copy(source: Path, target: Path) -> None:
    if target.exists() and target.samefile(source):
        return
    partial = target.with_name("partial.keras")
    shutil.copyfile(source, partial)
    os.replace(partial, target)


def _known_card(folder: Path, keras_path: Path) -> ModelCard | None:
    """Return the folder's card if it speaks of this very file."""
    if not (folder / CARD_FILE).is_file():
        return None
    try:
        card = load_card(folder)
    except ModelError:
        return None
    return card if card.sha256.get(KERAS_FILE) == sha256(keras_path) else None


def _network_name(keras_path: Path, card: ModelCard | None) -> str | None:
    """Return what the network is called, as far as its card or its run says."""
    if card:
        return card.network
    try:
        return read_recipe(keras_path.parent).get("network")
    except TrainingError:  # it has none, as a rule
        return None
