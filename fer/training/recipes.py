"""What decides a training run, beside the data."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

PRECISIONS = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Recipe:
    """One run, from its first weights to its last.

    Attributes:
        network: Name in `fer.training.networks.NETWORKS`.
        epochs: Times that every face is shown. The learning rate's course
            stretches over all of them, so a run cannot be made longer later.
        batch_size: Faces in a batch.
        optimizer: ``sgd``, with Nesterov momentum, or ``adam``.
        learning_rate: The highest; reached after the warm-up, then down to zero
            along half a cosine.
        warmup_epochs: Epochs over which the learning rate rises.
        momentum: Of ``sgd``.
        weight_decay: Share of a weight, times the learning rate, that each step
            takes away. Keras takes it from the weight itself, past the
            momentum, so 5e-3 here is what others write as 5e-4.
        ema: Share of the old average of the weights that stays at each step.
            The average is what is measured and kept; 0 keeps none.
        augment: Show each face changed a little, another way each time.
        mixup: Both parameters of the beta distribution from which the share of
            a blend of two faces is drawn; 0 blends nothing.
        label_smoothing: Share that a label gives away to all expressions alike.
        votes: Share of the targets that follows the FER+ votes.
        teachers: ``.keras`` files of networks to learn from.
        distillation: Share of the loss that is the teachers', where there are any.
        temperature: What the logits are divided by for that share.
        precision: ``float32``, or ``mixed_bfloat16``: weights in 32 bits,
            arithmetic in 16, faster where the processor has it.
        start: ``.keras`` file of a network of the same kind, whose weights the run
            starts from; empty: from weights drawn with the seed.
        seed: Seed of the weights and of everything random about the batches.
    """

    network: str = "se_resnet"
    epochs: int = 60
    batch_size: int = 64
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    warmup_epochs: int = 2
    momentum: float = 0.9
    weight_decay: float = 5e-3
    ema: float = 0.999
    augment: bool = True
    mixup: float = 0.2
    label_smoothing: float = 0.1
    votes: float = 0.0
    teachers: tuple[str, ...] = ()
    distillation: float = 0.5
    temperature: float = 2.0
    precision: str = "float32"
    start: str = ""
    seed: int = 0


_SHIPPED = Recipe()
_PLAIN = Recipe(
    optimizer="adam",
    learning_rate=1e-3,
    warmup_epochs=0,
    weight_decay=0.0,
    ema=0.0,
    augment=False,
    mixup=0.0,
    label_smoothing=0.0,
)
"""As the projects train that built these networks first: Adam, and the faces as they are."""

RECIPES: dict[str, Recipe] = {
    "se_resnet": _SHIPPED,
    "se_resnet18": replace(_SHIPPED, network="se_resnet18", batch_size=128, learning_rate=0.1),
    "vgg": replace(_SHIPPED, network="vgg", batch_size=128),
    "emoji_cnn": replace(_PLAIN, network="emoji_cnn", epochs=50, learning_rate=1e-4),
    "four_block_cnn": replace(_PLAIN, network="four_block_cnn"),
    "sequential_cnn": replace(_PLAIN, network="sequential_cnn"),
}
"""How each network is trained unless something else is asked for."""


class Step(StrEnum):
    """What a recipe can do without, to see what it is worth."""

    AUGMENTATION = "augmentation"
    AVERAGE = "average"
    MIXUP = "mixup"
    SMOOTHING = "smoothing"


_LEFT_OUT: dict[Step, dict[str, Any]] = {
    Step.AUGMENTATION: {"augment": False},
    Step.AVERAGE: {"ema": 0.0},
    Step.MIXUP: {"mixup": 0.0},
    Step.SMOOTHING: {"label_smoothing": 0.0},
}


def choose_recipe(network: str, without: Iterable[Step] = (), **changes: Any) -> Recipe:
    """Choose the recipe of a network, and change it.

    Args:
        network: Name of the network; one that has no recipe gets that of the shipped one.
        without: Steps to leave out.
        changes: Fields of `Recipe`; one that is None stays as the recipe has it.
    """
    recipe = RECIPES.get(network, replace(_SHIPPED, network=network))
    for step in without:
        recipe = replace(recipe, **_LEFT_OUT[step])
    return replace(recipe, **{name: new for name, new in changes.items() if new is not None})
