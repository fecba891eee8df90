"""Each format, read back by its own runtime."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from fer.card import ModelCard, load_card, sha256
from fer.cli import app
from fer.errors import ModelError, OutputError
from fer.preprocessing import network_input
from fer.training.export import load_network
from fer.training.formats import FILES, export_format
from tests.disks import small_disk
from tests.training_data import tiny_network

# Keras converts arrays the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FACES = network_input(np.random.default_rng(0).integers(0, 256, (8, 48, 48), np.uint8))
Outputs = dict[str, npt.NDArray[np.float32]]


def plain_network() -> keras.Model:
    """Build a network without attention."""
    inputs = keras.layers.Input((48, 48, 1))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    logits = keras.layers.Dense(7)(keras.layers.Flatten()(x))
    return keras.Model(inputs, logits, name="plain")


def save(model: keras.Model, folder: Path) -> Path:
    folder.mkdir(parents=True)
    path = folder / "fer.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    keras.utils.set_random_seed(1)
    root = tmp_path_factory.mktemp("trained")
    return {m.name: save(m, root / m.name) for m in (tiny_network(), plain_network())}


@pytest.fixture(scope="module")
def exported(trained: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder a network, with all formats side by side."""
    root = tmp_path_factory.mktemp("exported")
    for name, path in trained.items():
        for form in FILES:
            export_format(path, root / name, form)
    return {name: root / name for name in trained}


def run_saved_model(folder: Path) -> Callable[[npt.NDArray[np.float32]], Outputs]:
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    serve = loaded.signatures["serving_default"]

    def run(faces: npt.NDArray[np.float32]) -> Outputs:
        return {name: value.numpy() for name, value in serve(faces=tf.constant(faces)).items()}

    run.keep = loaded  # TensorFlow forgets the weights with the object
    return run


def run_onnx(folder: Path) -> Callable[[npt.NDArray[np.float32]], Outputs]:
    session = onnxruntime.InferenceSession(folder / "fer.onnx")
    names = [output.name for output in session.get_outputs()]
    return lambda faces: dict(zip(names, session.run(names, {"faces": faces}), strict=True))


def run_json_h5(folder: Path) -> Callable[[npt.NDArray[np.float32]], Outputs]:
    model = keras.models.model_from_json((folder / "model.json").read_text())
    model.load_weights(folder / "model.weights.h5")
    return lambda faces: {"logits": model.predict(faces, verbose=0)}


RUNTIMES = {"savedmodel": run_saved_model, "onnx": run_onnx, "json-h5": run_json_h5}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("network", ["tiny", "plain"])
def test_each_format_agrees_with_keras_for_one_face_and_for_eight(
    network: str, form: str, trained: dict[str, Path], exported: dict[str, Path]
) -> None:
    expected = load_network(trained[network]).predict(FACES, verbose=0)
    assert np.ptp(expected) > 0.01, "a network that says nothing agrees with anything"
    run = RUNTIMES[form](exported[network])
    for count in (1, 8):
        logits = run(FACES[:count])["logits"]
        np.testing.assert_allclose(logits, expected[:count], rtol=0, atol=1e-4)


@pytest.mark.parametrize("form", ["savedmodel", "onnx"])
def test_outputs_have_names_and_attention_is_there_where_the_network_has_it(
    form: str, exported: dict[str, Path]
) -> None:
    assert set(RUNTIMES[form](exported["plain"])(FACES)) == {"logits"}
    outputs = RUNTIMES[form](exported["tiny"])(FACES)
    assert set(outputs) == {"logits", "attention"}
    assert outputs["attention"].shape == (8, 6, 6, 7)
    np.testing.assert_allclose(outputs["attention"].mean(axis=(1, 2)), outputs["logits"], atol=1e-5)


def test_the_folder_holds_the_formats_and_a_card_and_nothing_half_written(
    exported: dict[str, Path],
) -> None:
    names = {name for names in FILES.values() for name in names}
    assert {path.name for path in exported["tiny"].iterdir()} == names | {"card.json"}


def test_the_card_knows_the_network_and_every_file(
    trained: dict[str, Path], exported: dict[str, Path]
) -> None:
    card = load_card(exported["tiny"])
    assert card.network == "tiny"
    assert card.sha256.pop("fer.keras") == sha256(trained["tiny"])
    assert set(card.sha256) == {
        "saved_model/saved_model.pb",
        "fer.onnx",
        "model.json",
        "model.weights.h5",
    }
    for name, digest in card.sha256.items():
        assert sha256(exported["tiny"] / name) == digest


def test_the_temperature_of_the_network_goes_with_it(tmp_path: Path) -> None:
    path = save(tiny_network(), tmp_path / "run")
    beside = ModelCard("tiny", temperature=1.5, figures={"public": {"accuracy": 0.7}})
    digests = {"fer.keras": sha256(path), "fer.tflite": "of another file"}
    replace(beside, sha256=digests).save(path.parent)
    export_format(path, tmp_path / "out", "json-h5")
    card = load_card(tmp_path / "out")
    assert (card.temperature, card.figures) == (1.5, {"public": {"accuracy": 0.7}})
    assert "fer.tflite" not in card.sha256


@pytest.mark.parametrize("form", ["savedmodel", "json-h5"])
def test_an_export_of_the_same_network_is_replaced(
    form: str, trained: dict[str, Path], tmp_path: Path
) -> None:
    for _ in range(2):
        export_format(trained["tiny"], tmp_path, form)
    assert len(list(tmp_path.iterdir())) == len(FILES[form]) + 1
    assert set(RUNTIMES[form](tmp_path)(FACES)) >= {"logits"}


@pytest.mark.parametrize("form", FILES)
def test_what_is_not_ours_is_not_replaced(
    form: str, trained: dict[str, Path], tmp_path: Path
) -> None:
    theirs = tmp_path / FILES[form][-1]
    theirs.write_text("theirs")
    with pytest.raises(ModelError, match="was not written by an export of this network"):
        export_format(trained["tiny"], tmp_path, form)
    assert theirs.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [theirs]


def test_another_network_in_the_folder_is_left_alone(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    export_format(trained["tiny"], tmp_path, "json-h5")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ModelError, match="holds another network"):
        export_format(trained["plain"], tmp_path, "json-h5")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_missing_tf2onnx_is_said_with_the_command_that_brings_it(
    trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name)
    )
    with pytest.raises(ModelError, match=r'pip install -e "\.\[onnx\]"'):
        export_format(trained["tiny"], tmp_path / "out", "onnx")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FILES)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(form: str, tmp_path: Path) -> None:
    inputs = keras.layers.Input((48, 48, 1))
    hidden = keras.layers.Dense(64)(keras.layers.Flatten()(inputs))
    large = save(keras.Model(inputs, keras.layers.Dense(7)(hidden)), tmp_path / "run")
    with small_disk(tmp_path / "disk", 64) as disk:
        with pytest.raises(OutputError, match="the disk is full"):
            export_format(large, disk / "out", form)
        assert list((disk / "out").iterdir()) == []


def test_the_command_exports_the_shipped_network_by_default(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["export", "--format", "json-h5", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert str(out / "model.json") in result.stdout
    shipped = Path(__file__).parent.parent / "model"
    assert load_card(out).temperature == load_card(shipped).temperature
    expected = load_network(shipped / "fer.keras").predict(FACES, verbose=0)
    np.testing.assert_allclose(run_json_h5(out)(FACES)["logits"], expected, rtol=0, atol=1e-4)


def test_the_temperature_is_fitted_on_litert_only(tmp_path: Path) -> None:
    command = ["export", "--format", "onnx", "--out", str(tmp_path), "--data", "gone.csv"]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, ModelError)
    assert "LiteRT" in str(result.exception)
