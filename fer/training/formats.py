"""From a trained ``.keras`` file to the other formats in which people run networks."""

import errno
import importlib.util
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras

from fer.card import CARD_FILE, KERAS_FILE, ModelCard, load_card, sha256
from fer.errors import ModelError, OutputError
from fer.training.export import load_network, named_outputs

FILES: dict[str, tuple[str, ...]] = {
    "savedmodel": ("saved_model",),
    "onnx": ("fer.onnx",),
    "json-h5": ("model.json", "model.weights.h5"),
}
"""The formats, and what is written of each: files, or the folder of a SavedModel."""


def export_format(keras_path: Path, out: Path, form: str) -> list[Path]:
    """Write a network in another format, and the ``card.json`` that says how to feed it.

    A SavedModel and an ONNX file take ``faces``, float32 of shape (n, 48, 48, 1)
    as `fer.preprocessing.network_input` makes them, and give what the LiteRT
    file gives: ``logits``, float32 of shape (n, 7), and, where the network has
    them, the class activation maps ``attention``, float32 of shape (n, 6, 6, 7).
    ``json-h5`` is the Keras network itself: layers as JSON, weights as HDF5.

    Args:
        keras_path: A network trained here.
        out: Folder to write to; made if it is not there. What has the same
            name is replaced only if it is an export of the same network.
        form: One of `FILES`.

    Returns:
        The files and folders that were written, without the card.

    Raises:
        ModelError: The network cannot be read, a package that writes the
            format is missing, or `out` holds something else.
        OutputError: The disk is full.
    """
    _check_writer(form)
    model = load_network(keras_path)
    card = _card_for(model, keras_path, out)
    targets = [out / name for name in FILES[form]]
    _refuse_strangers(targets, card, out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as partial:
        with _telling_of_a_full_disk(out):
            _write(model, Path(partial), form)
        for target in targets:
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(Path(partial, target.name), target)
    files = [target / "saved_model.pb" if target.is_dir() else target for target in targets]
    digests = {file.relative_to(out).as_posix(): sha256(file) for file in files}
    replace(card, sha256=card.sha256 | digests).save(out)
    return targets


def _check_writer(form: str) -> None:
    """Notice a missing writer before TensorFlow has been at work for seconds."""
    if form == "json-h5":
        return
    if keras.backend.backend() != "tensorflow":
        raise ModelError(f"{form} is written by TensorFlow: set KERAS_BACKEND=tensorflow.")
    if form == "onnx" and not all(map(importlib.util.find_spec, ("onnx", "tf2onnx"))):
        raise ModelError('ONNX files are written by tf2onnx: pip install -e ".[onnx]"')


def _card_for(model: keras.Model, keras_path: Path, out: Path) -> ModelCard:
    """Return the card of this very network: the one in `out`, the one beside it, or a new one."""
    digest = sha256(keras_path)
    for folder in (out, keras_path.parent):
        if (folder / CARD_FILE).exists():
            card = load_card(folder)
            if card.sha256.get(KERAS_FILE) == digest:
                return card if folder == out else replace(card, sha256={KERAS_FILE: digest})
            if folder == out:
                raise ModelError(f"{out} holds another network: choose another folder.")
    return ModelCard(network=model.name, sha256={KERAS_FILE: digest})


def _refuse_strangers(targets: list[Path], card: ModelCard, out: Path) -> None:
    """Check that only exports of this network are replaced."""
    held = {name.split("/")[0] for name in card.sha256} if (out / CARD_FILE).exists() else set()
    for target in targets:
        if target.exists() and target.name not in held:
            raise ModelError(
                f"{target} was not written by an export of this network: "
                "choose another folder, or move it away."
            )


@contextmanager
def _telling_of_a_full_disk(out: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # TensorFlow, HDF5 and Python each have one of their own
        if os.strerror(errno.ENOSPC) in str(error):
            raise OutputError(f"{out} cannot be written: the disk is full.") from None
        raise


def _write(model: keras.Model, folder: Path, form: str) -> None:
    """Write a network whose last layer gives logits."""
    paths = [folder / name for name in FILES[form]]
    if form == "json-h5":
        paths[0].write_text(model.to_json(indent=2), encoding="utf-8")
        model.save_weights(paths[1])
        return
    for name in ("tensorflow", "tf2onnx"):  # they would tell of each step
        logging.getLogger(name).setLevel(logging.WARNING)
    faces = keras.InputSpec(shape=model.input_shape, dtype="float32", name="faces")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras's bridge to tf2onnx, about NumPy
        keras.Model(model.input, named_outputs(model)).export(
            paths[0],
            format="onnx" if form == "onnx" else "tf_saved_model",
            verbose=False,
            input_signature=[faces],
        )
