"""The seven expressions of FER-2013: their order, names and colours; and whether to trust one."""

from enum import StrEnum
from typing import NamedTuple


class Expression(NamedTuple):
    """One class of FER-2013.

    Attributes:
        name: Lower-case English name, as the data set and the model spell it.
        color: Colour in which a front end shows it, as ``#rrggbb``. The seven
            differ in lightness too, so that they can be told apart without hue.
    """

    name: str
    color: str


EXPRESSIONS: tuple[Expression, ...] = (
    Expression("angry", "#e15759"),
    Expression("disgust", "#59a14f"),
    Expression("fear", "#b07aa1"),
    Expression("happy", "#f2c744"),
    Expression("sad", "#4e79a7"),
    Expression("surprise", "#f28e2b"),
    Expression("neutral", "#bab0ac"),
)
"""Indexed by class id: the order of the competition's CSV file, neutral at 6."""

EXPRESSION_NAMES: tuple[str, ...] = tuple(expression.name for expression in EXPRESSIONS)


class FaceState(StrEnum):
    """Whether a face's label can be relied on, and if not, why."""

    OK = "ok"
    UNSURE = "unsure"
    DARK = "dark"
    SMALL = "small"
    TURNED = "turned"


READABLE = (FaceState.OK, FaceState.UNSURE)
"""States of the faces whose scores say something."""

REASONS = {
    FaceState.UNSURE: "unsure",
    FaceState.DARK: "too dark",
    FaceState.SMALL: "too small or too far",
    FaceState.TURNED: "turned away",
}
"""Why a label cannot be relied on, in the words of every front end."""
