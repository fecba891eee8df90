import keras
import numpy as np
import pytest
from keras import layers

from fer.preprocessing import network_input
from fer.training.networks import ATTENTION_LAYER, NETWORKS, se_resnet
from fer.training.recipes import RECIPES

# Keras converts arrays the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
FOLLOWED = ("emoji_cnn", "four_block_cnn", "sequential_cnn")


def kinds(model: keras.Model) -> list[str]:
    """What a network consists of, without what only shapes and normalizes."""
    left_out = (layers.InputLayer, layers.Rescaling, layers.Activation, layers.BatchNormalization)
    return [type(layer).__name__ for layer in model.layers if not isinstance(layer, left_out)]


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_maps_faces_to_logits_and_has_a_recipe(name: str) -> None:
    model = NETWORKS[name]()
    assert model.name == name == RECIPES[name].network
    assert model.input_shape == (None, 48, 48, 1)
    assert model.output_shape == (None, 7)
    assert isinstance(model.layers[1], layers.Rescaling), "the network scales its own input"


@pytest.mark.parametrize("name", ["se_resnet", "se_resnet18", "vgg"])
def test_logits_are_the_means_of_the_maps(name: str) -> None:
    small = {"widths": (8, 16, 24), "blocks": (1, 1, 1)} if name == "se_resnet" else {}
    model = NETWORKS[name](**small)
    both = keras.Model(model.input, [model.output, model.get_layer(ATTENTION_LAYER).output])
    logits, maps = both.predict(network_input(FACES), verbose=0)
    assert maps.shape == (3, 6, 6, 7)
    np.testing.assert_allclose(logits, maps.mean(axis=(1, 2)), atol=1e-5)


def test_shipped_network_is_small() -> None:
    assert 0.8e6 < se_resnet().count_params() < 1.2e6


def test_emoji_cnn_is_built_as_the_projects_build_it() -> None:
    model = NETWORKS["emoji_cnn"]()
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [32, 64, 128, 128]
    assert all(layer.padding == "valid" and layer.kernel_size == (3, 3) for layer in convolutions)
    assert kinds(model) == [
        *("Conv2D", "Conv2D", "MaxPooling2D", "Dropout"),
        *("Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Dropout"),
        *("Flatten", "Dense", "Dropout", "Dense"),
    ]
    dense = [layer.units for layer in model.layers if isinstance(layer, layers.Dense)]
    assert dense == [1024, 7]


@pytest.mark.parametrize("name", ["four_block_cnn", "sequential_cnn"])
def test_the_other_followed_networks_have_four_convolutions_and_two_dense_layers(name: str) -> None:
    names = kinds(NETWORKS[name]())
    assert names.count("Conv2D") == names.count("MaxPooling2D") == 4
    assert names.count("Dense") == 3, "two and the answer"


@pytest.mark.parametrize("name", FOLLOWED)
def test_followed_networks_see_pixels_from_0_to_1_and_learn_with_adam(name: str) -> None:
    model = NETWORKS[name]()
    scaled = keras.Model(model.input, model.layers[1].output)
    ends = scaled.predict(np.array([0, 255], np.float32).reshape(2, 1, 1, 1) * np.ones((48, 48, 1)))
    assert ends.min() == 0
    assert ends.max() == pytest.approx(1)
    assert (RECIPES[name].optimizer, RECIPES[name].batch_size) == ("adam", 64)
    assert not RECIPES[name].augment
