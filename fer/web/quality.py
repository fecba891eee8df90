"""How far the answers can be trusted, what they must not be used for, and whom the data shows."""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fer.card import load_card
from fer.classification import resolve_model
from fer.expressions import EXPRESSION_NAMES
from fer.pictures import read_picture
from fer.web.faces import bars_html
from fer.web.figures import gallery_html, picture_html

NO_FIGURES = (
    "Nobody has measured this model: its card, `card.json`, holds no figures. "
    "`python -m fer export --data` measures it and writes them there."
)

_MEASURES = {
    "accuracy": (
        "Right answers",
        "Of 100 faces, {} are named as their label says. By chance it would be 14.",
    ),
    "macro_f1": (
        "Macro-F1",
        "How well the average expression is told from the others: a rare one counts as much as a "
        "frequent one, and false alarms count against it.",
    ),
    "expected_calibration_error": (
        "Calibration error",
        "A probability that the page shows is off by about {} points in 100.",
    ),
}
_PICTURES = {
    "confusion.png": (
        "Confusion matrix",
        "What is taken for what: a row for each label, a column for each answer. "
        "A perfect network would have 1.00 all down the diagonal.",
    ),
    "reliability.png": (
        "Reliability diagram",
        "How often answers of each probability are right: on the dashed line, as often as said.",
    ),
}

_USES = """
**An expression is not a feeling.** The network names what a face looks like to strangers who saw
one small grey picture, without what came before it or was said. People smile when they are
unhappy, and frown when they think.

So it must not decide anything about a person: not in hiring, grading, lending, policing, insurance,
border control or diagnosis, not as a lie detector and not for attention scores. Inferring emotions
at work and in education is prohibited in the European Union, but for medical and safety reasons,
by Article 5(1)(f) of Regulation (EU) 2024/1689. And nobody should be read who does not know it.

It is for showing how a computer reads faces, for teaching, for art and games, for research.
"""

_DATA = """
The shipped network has learned from FER-2013: 28,709 small grey pictures that a web search of 2013
returned for words like *angry* and *happy*, labelled in haste; another labeller would have said
something else of about every third. Most show adults with light skin; many are actors, models and
politicians, and many pose. Age, sex, skin and origin were not recorded, so nobody can say how far
the figures hold for a group. Expect worse for children, old people, dark skin in poor light,
glasses, beards, masks and head coverings.

The whole account is in `model/MODEL_CARD.md`.
"""


def show(model: str | Path | None) -> None:
    """Draw this part of the page.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """
    folder = resolve_model(model).parent
    st.header("How good it is", anchor=False)
    figures = load_card(folder).figures
    if public := figures.get("public"):
        _show_figures(public, figures.get("calibration"))
        _show_pictures(folder)
    else:
        st.markdown(NO_FIGURES)
    st.header("What it must not be used for", anchor=False)
    st.markdown(_USES)
    st.header("Whom the data shows", anchor=False)
    st.markdown(_DATA)


def _show_figures(public: dict[str, Any], calibration: dict[str, Any] | None) -> None:
    """Tell what was measured on PublicTest, as far as the card knows it."""
    # On faces that the calibration was not fitted on.
    judged = (calibration or {}).get("after", {})
    if "expected_calibration_error" in judged:
        error = judged["expected_calibration_error"]
        public = public | {"expected_calibration_error": error}
    for column, (name, (title, words)) in zip(st.columns(3), _MEASURES.items(), strict=True):
        if name in public:
            column.metric(title, f"{public[name]:.1%}".replace("%", " %"))
            column.markdown(words.format(round(100 * public[name])))
    if recall := public.get("recall"):
        shares = np.array([recall[name] for name in EXPRESSION_NAMES])
        best, worst = (EXPRESSION_NAMES[place] for place in (shares.argmax(), shares.argmin()))
        st.markdown(
            f"Of 100 faces that are labelled **{worst}**, it says {worst} for "
            f"{100 * recall[worst]:.0f}; of 100 that are labelled **{best}**, it says {best} for "
            f"{100 * recall[best]:.0f}."
        )
        st.html(bars_html("Faces of each label that it names so", shares))
    if calibration:
        st.markdown(
            "**These figures are those of a choice.** They were measured on PublicTest, and what "
            "makes scores into probabilities was fitted there too (its own error was measured on "
            "each half with what was fitted on the other). On faces that nobody has looked at "
            "they may be worse."
        )


def _show_pictures(folder: Path) -> None:
    """Show the diagrams that lie beside the model."""
    html = []
    for name, (title, words) in _PICTURES.items():
        if (folder / name).is_file():
            image = read_picture(folder / name)
            html.append(picture_html(image, f"{title}: {words}", f"{title}. {words}"))
    if html:
        st.html(gallery_html(html, 2, 1))
