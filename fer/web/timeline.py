"""Probabilities over time: kept in little room, and drawn."""

from itertools import groupby
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fer.expressions import EXPRESSION_NAMES, EXPRESSIONS

STYLE = """<style>
.fer-chart { margin-bottom: 1.25rem; font-size: 0.875rem; }
.fer-chart > div { position: relative; height: 4rem; border-radius: 0.4rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.fer-chart > div > div { position: absolute; inset: 0; }
.fer-chart p { display: flex; justify-content: space-between; gap: 0.5rem; margin: 0.2rem 0 0; }
</style>"""
"""Belongs on the page once. Colours come from the theme, but for the areas."""

Scores: TypeAlias = npt.NDArray[np.floating]

_FEW = 0.05  # share of an expression under which it goes unmentioned


class Timeline:
    """Mean probabilities in steps of equal length, of which only so many are kept.

    Args:
        step_s: How long a step is, in seconds.
        steps: How many are kept.
        whole: When there are more, join each two to one of twice the length,
            so that all the time stays in view; else forget the oldest.
    """

    def __init__(self, step_s: float, steps: int, *, whole: bool = False) -> None:
        self._step_s = step_s
        self._most = steps
        self._whole = whole
        # Number of a step -> the sum of its scores, and how many they were.
        self._sums: dict[int, Scores] = {}
        self._last = 0

    def add(self, time_s: float, scores: Scores | None) -> None:
        """Add what a face showed.

        Args:
            time_s: When, in seconds since the first; no earlier than the last.
            scores: Its probabilities, of shape (7,); None if it could not be read.
        """
        self._last = int(time_s / self._step_s)
        while self._whole and self._last >= self._most:
            self._join()
        if scores is not None:
            sums = self._sums.get(self._last, np.zeros(len(EXPRESSIONS) + 1))
            self._sums[self._last] = sums + np.append(scores, 1)
        if len(self._sums) > self._most:
            self._sums.pop(min(self._sums))

    def columns(self) -> npt.NDArray[np.float64]:
        """Give the mean of each step, float64 of shape (steps, 7).

        A row is zeros where nothing was read. The newest comes last; where the
        whole time is kept, there are as many rows as there were steps.
        """
        first = 0 if self._whole else self._last - self._most + 1
        nothing = np.zeros(len(EXPRESSIONS) + 1)
        sums = np.array([self._sums.get(step, nothing) for step in range(first, self._last + 1)])
        return np.asarray(sums[:, :-1] / np.maximum(sums[:, -1:], 1))

    def _join(self) -> None:
        joined: dict[int, Scores] = {}
        for step, sums in self._sums.items():
            joined[step // 2] = joined.get(step // 2, 0) + sums
        self._sums, self._step_s, self._last = joined, 2 * self._step_s, self._last // 2


def chart_html(columns: npt.NDArray[np.float64], begin: str, end: str) -> str:
    """Draw a timeline as areas one on another, which together are 100 % high.

    Args:
        columns: As `Timeline.columns` gives it.
        begin: What stands below its left end.
        end: What stands below its right end.

    Returns:
        HTML, with the likeliest expressions in words too.
    """
    tops = 100 - np.rint(100 * columns.cumsum(axis=1)).astype(int)
    # Each area reaches to the ground, and the next is painted over it.
    areas = [
        f'<div title="{name}" style="background:{color};clip-path:polygon({_outline(heights)})">'
        "</div>"
        for (name, color), heights in zip(EXPRESSIONS, tops.T, strict=True)
    ]
    text = likeliest(columns[columns.any(axis=1)])
    return (
        f'<div class="fer-chart"><div role="img" aria-label="{begin} to {end}: {text}">'
        f"{''.join(reversed(areas))}</div>"
        f"<p><span>{begin}</span><span>{text}</span><span>{end}</span></p></div>"
    )


def _outline(tops: npt.NDArray[np.int_]) -> str:
    """Draw the outline of an area as CSS wants it: steps of equal width, from the ground up."""
    width, x, corners = 100 / len(tops), 0.0, ["0 100%"]
    for top, steps in groupby(tops):
        end = x + width * len(list(steps))
        corners += [f"{x:.4g}% {top}%", f"{end:.4g}% {top}%"]
        x = end
    return ",".join([*corners, "100% 100%"])


def likeliest(rows: npt.NDArray[np.float64]) -> str:
    """Name the two expressions that are the likeliest over a time, such as ``happy 72 %``.

    Args:
        rows: Probabilities, float64 of shape (n, 7).
    """
    if not len(rows):
        return "nothing read"
    means = rows.mean(axis=0)
    named = [index for index in np.argsort(means)[:-3:-1] if means[index] >= _FEW]
    return ", ".join(f"{EXPRESSION_NAMES[index]} {percent(means[index])}" for index in named)


def percent(share: float) -> str:
    """Write a share as ``72 %``."""
    return f"{share:.0%}".replace("%", " %")
