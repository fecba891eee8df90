"""The probabilities of each face as bars, in HTML that reads well without seeing them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.annotation import describe
from fer.expressions import EXPRESSIONS, READABLE
from fer.tracking import UNKNOWN_ID
from fer.web.timeline import Timeline, chart_html, percent

STYLE = """<style>
.fer-face { width: 100%; border-collapse: collapse; margin-bottom: 0.75rem; }
.fer-face caption { text-align: left; font-weight: 600; font-size: 1.1rem; padding-bottom: 0.4rem; }
.fer-face th { font-weight: inherit; text-align: left; width: 5.5rem; padding: 0.2rem 0; }
.fer-face td { padding: 0.2rem 0; }
.fer-face td:last-child { width: 3.5rem; text-align: right; font-variant-numeric: tabular-nums; }
.fer-face tr { border: none; }
.fer-face tr.top { font-weight: 600; }
.fer-face.faint .fer-bar { opacity: 0.4; }
.fer-track { height: 0.8rem; border-radius: 0.4rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.fer-bar { height: 100%; border-radius: 0.4rem; }
</style>"""
"""Belongs on the page once. Colours come from the theme, but for the bars."""

_MOST_FACES = 4  # that are shown

_EMPTY = np.zeros(len(EXPRESSIONS), np.float32)


def faces_html(detections: sv.Detections, timelines: Mapping[int, Timeline] | None = None) -> str:
    """Draw the bars of all faces, the longest known first.

    Args:
        detections: What `fer.ExpressionPipeline` returned.
        timelines: The last minute of faces by their ids, to be drawn below.

    Returns:
        A table for each face; with no face an empty one that says so and
        takes the same room.
    """
    if len(detections) == 0:
        return empty_html("No face in view, or too far away.")
    ids = np.zeros(len(detections)) if detections.tracker_id is None else detections.tracker_id
    # A face at its first sight has no id yet: it comes last, as it will with its id.
    rows = np.argsort(np.where(ids == UNKNOWN_ID, np.inf, ids), kind="stable")
    texts = describe(detections)
    parts = []
    for number, row in enumerate(rows[:_MOST_FACES], start=1):
        caption = f"Face {number}: {texts[row]}" if len(rows) > 1 else texts[row]
        faint = detections.data["state"][row] not in READABLE
        parts.append(bars_html(caption, detections.data["scores"][row], faint=faint))
        if timeline := (timelines or {}).get(int(ids[row])):
            parts.append(chart_html(timeline.columns(), "a minute ago", "now"))
    if len(rows) > _MOST_FACES:
        parts.append(f"<p>And {len(rows) - _MOST_FACES} more.</p>")
    return "".join(parts)


def empty_html(sentence: str) -> str:
    """Draw a table without figures, which takes the room of one face.

    Args:
        sentence: Why there is none.

    Returns:
        The table, with the sentence above it.
    """
    return bars_html(sentence, _EMPTY)


def bars_html(caption: str, shares: npt.NDArray[np.floating[Any]], *, faint: bool = False) -> str:
    """Draw a bar for each expression.

    Args:
        caption: What stands above them.
        shares: How long each bar is, from 0 to 1, of shape (7,).
        faint: Draw them as nothing to rely on.
    """
    rows = []
    for expression, share in zip(EXPRESSIONS, shares, strict=True):
        top = share > 0 and share == shares.max()
        figure = percent(share) if shares.any() else "–"
        rows.append(
            f'<tr{" class=top" if top else ""}><th scope="row">{expression.name}</th>'
            f'<td aria-hidden="true"><div class="fer-track"><div class="fer-bar" '
            f'style="width:{share:.1%};background:{expression.color}"></div></div></td>'
            f"<td>{figure}</td></tr>"
        )
    faintly = " faint" if faint else ""
    return f'<table class="fer-face{faintly}"><caption>{caption}</caption>{"".join(rows)}</table>'
