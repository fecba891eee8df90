import json
from pathlib import Path

import keras
import numpy as np
import pytest

from fer.card import KERAS_FILE, load_card, verify
from fer.classification import ExpressionClassifier, resolve_model, softmax
from fer.errors import ModelError
from fer.preprocessing import network_input
from fer.training.export import export_litert, load_network
from fer.training.networks import ATTENTION_LAYER, NETWORKS, se_resnet
from tests.training_data import tiny_network

# Keras converts arrays the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FACES = np.random.default_rng(0).integers(0, 256, (8, 48, 48), np.uint8)


def stir(model: keras.Model) -> keras.Model:
    """Give a new network weights and statistics that are as uneven as trained ones."""
    random = np.random.default_rng(1)
    for variable in model.variables:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("beta", "bias", "moving_mean")):
            variable.assign(random.normal(0, 0.2, variable.shape))
    return model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "fer.keras"
    keras.utils.set_random_seed(0)
    stir(se_resnet()).save(path)
    return path


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_litert(trained, folder)
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "fer.keras"
    tiny_network().save(path)
    return path


@pytest.mark.parametrize("batch", [1, 8])
def test_litert_agrees_with_keras(trained: Path, exported: Path, batch: int) -> None:
    inputs = network_input(FACES[:batch])
    expected = load_network(trained).predict(inputs, verbose=0)
    runner = ExpressionClassifier(exported)._interpreter.get_signature_runner()
    logits = runner(faces=inputs)["logits"]
    assert np.ptp(expected) > 0.1, "a network that says nothing agrees with anything"
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(
        ExpressionClassifier(exported)(FACES[:batch]), softmax(expected), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("batch", [1, 8])
def test_the_shipped_files_are_one_network(batch: int) -> None:
    litert = resolve_model()
    card = load_card(litert.parent)
    verify(litert.with_name(KERAS_FILE), card)
    inputs = network_input(FACES[:batch])
    logits = load_network(litert.with_name(KERAS_FILE)).predict(inputs, verbose=0)
    np.testing.assert_allclose(
        ExpressionClassifier()(FACES[:batch]), softmax(logits / card.temperature), atol=1e-4
    )


def test_face_scores_the_same_alone_and_in_any_batch(exported: Path) -> None:
    classifier = ExpressionClassifier(exported)
    together = classifier(FACES)
    for start, stop in ((0, 1), (7, 8), (2, 5), (1, 8)):
        np.testing.assert_allclose(classifier(FACES[start:stop]), together[start:stop], atol=1e-6)


def test_attention_maps_are_exported_under_their_name(exported: Path) -> None:
    runner = ExpressionClassifier(exported)._interpreter.get_signature_runner()
    outputs = runner(faces=network_input(FACES))
    assert set(outputs) == {"logits", "attention"}
    assert outputs["attention"].shape == (8, 6, 6, 7)
    np.testing.assert_allclose(outputs["attention"].mean(axis=(1, 2)), outputs["logits"], atol=1e-5)


def test_network_without_attention_exports_without_it(tmp_path: Path) -> None:
    inputs = keras.layers.Input((48, 48, 1))
    logits = keras.layers.Dense(7)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, logits, name="plain").save(tmp_path / "fer.keras")
    assert export_litert(tmp_path / "fer.keras", tmp_path).network == "plain"
    runner = ExpressionClassifier(tmp_path)._interpreter.get_signature_runner()
    assert set(runner.get_output_details()) == {"logits"}


def test_card_is_that_of_both_files(exported: Path, trained: Path) -> None:
    card = load_card(exported)
    assert (card.network, card.temperature, card.figures) == ("se_resnet", 1.0, {})
    assert set(card.sha256) == {"fer.keras", "fer.tflite"}
    for name in card.sha256:
        verify(exported / name, card)
    assert (exported / "fer.keras").read_bytes() == trained.read_bytes()
    assert not list(exported.glob("partial*"))


def test_export_beside_the_trained_file_leaves_it_alone(tiny: Path) -> None:
    before = tiny.read_bytes()
    export_litert(tiny, tiny.parent)
    assert tiny.read_bytes() == before
    assert ExpressionClassifier(tiny.parent)(FACES).shape == (8, 7)


def test_second_export_of_a_network_keeps_temperature_and_figures(tiny: Path) -> None:
    export_litert(tiny, tiny.parent, temperature=1.5, figures={"public": {"accuracy": 0.7}})
    export_litert(tiny, tiny.parent)
    card = load_card(tiny.parent)
    assert (card.temperature, card.figures) == (1.5, {"public": {"accuracy": 0.7}})


def test_export_of_another_network_keeps_nothing_of_the_old_one(tiny: Path) -> None:
    export_litert(tiny, tiny.parent, temperature=1.5, figures={"public": {"accuracy": 0.7}})
    tiny_network().save(tiny)
    card = export_litert(tiny, tiny.parent)
    assert (card.temperature, card.figures) == (1.0, {})


def test_card_names_the_network_as_its_run_does(tiny: Path) -> None:
    (tiny.parent / "run.json").write_text(json.dumps({"network": "vgg_small"}))
    assert export_litert(tiny, tiny.parent / "out").network == "vgg_small"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no trained network at .*gone\.keras"):
        export_litert(tmp_path / "gone.keras", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_file_is_one_sentence(tiny: Path) -> None:
    tiny.write_bytes(tiny.read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"fer\.keras cannot be read as a Keras model") as caught:
        export_litert(tiny, tiny.parent)
    assert "\n" not in str(caught.value)


def test_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    inputs = keras.layers.Input((32, 32, 3))
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match=r"expected \(None, 48, 48, 1\) to \(None, 7\)"):
        export_litert(tmp_path / "other.keras", tmp_path)


def test_code_inside_a_file_is_not_run(tmp_path: Path) -> None:
    inputs = keras.layers.Input((48, 48, 1))
    x = keras.layers.Lambda(lambda pixels: pixels * 2)(inputs)
    outputs = keras.layers.Dense(7)(keras.layers.Flatten()(x))
    keras.Model(inputs, outputs).save(tmp_path / "fer.keras")
    with pytest.raises(ModelError, match="cannot be read as a Keras model"):
        export_litert(tmp_path / "fer.keras", tmp_path)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_network_names_its_attention_or_has_none(name: str) -> None:
    model = NETWORKS[name]()
    maps = [layer.output for layer in model.layers if layer.name == ATTENTION_LAYER]
    assert all(output.shape == (None, 6, 6, 7) for output in maps)
    assert model.output_shape == (None, 7)
