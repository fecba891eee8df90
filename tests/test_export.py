import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import skimage.data
from ai_edge_litert.interpreter import Interpreter

from fer import ExpressionPipeline
from fer.card import KERAS_FILE, STAGES_FILE, load_card, verify
from fer.classification import ExpressionClassifier, calibrated, resolve_model, softmax
from fer.errors import ModelError
from fer.preprocessing import network_input
from fer.training.export import export_litert, find_stages, load_network
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
    runner = ExpressionClassifier(exported)._run
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
        ExpressionClassifier()(FACES[:batch]), calibrated(logits, card), atol=1e-4
    )


def test_face_scores_the_same_alone_and_in_any_batch(exported: Path) -> None:
    classifier = ExpressionClassifier(exported)
    together = classifier(FACES)
    for start, stop in ((0, 1), (7, 8), (2, 5), (1, 8)):
        np.testing.assert_allclose(classifier(FACES[start:stop]), together[start:stop], atol=1e-6)


def test_attention_maps_are_exported_under_their_name(exported: Path) -> None:
    runner = ExpressionClassifier(exported)._run
    outputs = runner(faces=network_input(FACES))
    assert set(outputs) == {"logits", "attention"}
    assert outputs["attention"].shape == (8, 6, 6, 7)
    np.testing.assert_allclose(outputs["attention"].mean(axis=(1, 2)), outputs["logits"], atol=1e-5)


def test_network_without_attention_exports_without_it(tmp_path: Path) -> None:
    inputs = keras.layers.Input((48, 48, 1))
    logits = keras.layers.Dense(7)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, logits, name="plain").save(tmp_path / "fer.keras")
    assert export_litert(tmp_path / "fer.keras", tmp_path).network == "plain"
    runner = ExpressionClassifier(tmp_path)._run
    assert set(runner.get_output_details()) == {"logits"}


def test_maps_of_another_size_are_as_good(tmp_path: Path) -> None:
    se_resnet((8, 16, 32), (1, 1, 1), first_stride=1).save(tmp_path / "fer.keras")
    export_litert(tmp_path / "fer.keras", tmp_path)
    pipeline, frame = ExpressionPipeline(tmp_path), skimage.data.astronaut()[..., ::-1].copy()
    for time_s in (0.0, 0.1):
        assert pipeline(frame, time_s).data["attention"].shape == (1, 12, 12)
    assert pipeline(np.zeros_like(frame), 9.0).data["attention"].shape == (0, 12, 12)


def run_litert(path: Path) -> dict[str, np.ndarray]:
    runner = Interpreter(str(path)).get_signature_runner()
    return runner(**{next(iter(runner.get_input_details())): network_input(FACES)})


def test_stages_are_those_of_the_network_that_the_apps_run(exported: Path, trained: Path) -> None:
    outputs, stages = (run_litert(exported / name) for name in ("fer.tflite", STAGES_FILE))
    # A weight of 16 bits is off by 1/2048 at most, the logits by little more.
    for name, expected in outputs.items():
        np.testing.assert_allclose(stages[name], expected, atol=2e-3 * np.abs(expected).max())
    sides = [stages[f"stage_{number}"].shape[1:] for number in (1, 2, 3, 4)]
    assert sides == [(48, 48, 32), (24, 24, 32), (12, 12, 64), (6, 6, 160)]
    model = load_network(trained)
    third = keras.Model(model.input, find_stages(model)[2]).predict(network_input(FACES), verbose=0)
    np.testing.assert_allclose(stages["stage_3"], third, atol=2e-3 * third.max())
    size = (exported / STAGES_FILE).stat().st_size
    assert size < 0.6 * (exported / "fer.tflite").stat().st_size


def test_the_shipped_stages_are_those_of_the_shipped_network() -> None:
    folder = resolve_model().parent
    verify(folder / STAGES_FILE, load_card(folder))
    logits, again = (run_litert(folder / name)["logits"] for name in ("fer.tflite", STAGES_FILE))
    np.testing.assert_allclose(again, logits, atol=0.01)
    assert np.ptp(logits) > 1, "a network that says nothing agrees with anything"


def test_network_without_stages_has_no_file_of_them(tiny: Path) -> None:
    assert STAGES_FILE in export_litert(tiny, tiny.parent).sha256
    inputs = keras.layers.Input((48, 48, 1))
    logits = keras.layers.Dense(7)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, logits).save(tiny)
    assert STAGES_FILE not in export_litert(tiny, tiny.parent).sha256
    assert not (tiny.parent / STAGES_FILE).exists()


def test_network_of_networks_is_exported_with_what_stages_it_has(tmp_path: Path) -> None:
    inputs = keras.layers.Input((48, 48, 1))
    keras.Model(inputs, tiny_network()(inputs)).save(tmp_path / "fer.keras")
    assert set(export_litert(tmp_path / "fer.keras", tmp_path).sha256) == {
        "fer.keras",
        "fer.tflite",
    }


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("se_resnet", [(48, 32), (24, 32), (12, 64), (6, 160)]),
        ("se_resnet18", [(48, 64), (24, 128), (12, 256), (6, 512)]),
        ("vgg", [(48, 64), (24, 128), (12, 256), (6, 512)]),
        ("emoji_cnn", [(44, 64), (20, 128), (8, 128), (4, 128)]),
        ("four_block_cnn", [(48, 64), (24, 128), (12, 512), (6, 512), (3, 512)]),
        ("sequential_cnn", [(48, 32), (24, 64), (12, 128), (6, 128), (3, 128)]),
    ],
)
def test_each_network_has_stages_that_end_where_the_picture_is_halved(
    name: str, stages: list[tuple[int, int]]
) -> None:
    ends = find_stages(NETWORKS[name]())
    assert [end.shape[1:] for end in ends] == [(side, side, width) for side, width in stages]


def test_card_is_that_of_all_files(exported: Path, trained: Path) -> None:
    card = load_card(exported)
    assert (card.network, card.temperature, card.figures) == ("se_resnet", 1.0, {})
    assert set(card.sha256) == {"fer.keras", "fer.tflite", "stages.tflite"}
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
    card = export_litert(tiny, tiny.parent)
    replace(card, temperature=1.5, figures={"public": {"accuracy": 0.7}}).save(tiny.parent)
    export_litert(tiny, tiny.parent)
    card = load_card(tiny.parent)
    assert (card.temperature, card.figures) == (1.5, {"public": {"accuracy": 0.7}})


def test_export_of_another_network_keeps_nothing_of_the_old_one(tiny: Path) -> None:
    card = export_litert(tiny, tiny.parent)
    replace(card, temperature=1.5, figures={"public": {"accuracy": 0.7}}).save(tiny.parent)
    tiny_network().save(tiny)
    card = export_litert(tiny, tiny.parent)
    assert (card.temperature, card.figures) == (1.0, {})


def test_card_names_the_network_as_its_run_does(tiny: Path) -> None:
    (tiny.parent / "run.json").write_text(json.dumps({"network": "vgg_small"}))
    assert export_litert(tiny, tiny.parent / "out").network == "vgg_small"


def test_what_an_unreadable_run_calls_its_network_does_not_matter(tiny: Path) -> None:
    (tiny.parent / "run.json").write_text("{")
    assert export_litert(tiny, tiny.parent / "out").network == "tiny"


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
