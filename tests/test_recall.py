"""What a full search finds, the live path finds too, though it carries faces and seldom searches.

`benchmarks/recall.py` measures this in frames of 640 pixels; a full search of half as wide ones
takes a quarter of the time.
"""

from dataclasses import replace

import pytest

from benchmarks.recall import Variation, blur, count, darken
from tests.synthetic import Face

SIZE = (320, 240)
SECONDS, FPS = 2.0, 15
LEAST, LATE = 0.97, 2  # frames: nobody's picture is searched whole ten times a second
FACE = Face(center=(160, 120), sway=(30, 15), side=90, period_s=2)
CROSSING = replace(FACE, center=(-40, 120), sway=(0, 10), drift=(200, 0))
TILTING = replace(FACE, tilt=25)


@pytest.mark.parametrize(
    "variation",
    [
        Variation([(CROSSING,)], size=SIZE),
        Variation([(replace(FACE, swell=0.5),)], size=SIZE),
        Variation([(TILTING,), (replace(TILTING, portrait="hopper"),)], size=SIZE),
        Variation([(FACE,)], blur, size=SIZE),
        Variation([(FACE,)], darken, size=SIZE),
    ],
    ids=["enters and leaves", "grows", "tilts", "blurs", "darkens"],
)
def test_what_a_full_search_finds_is_found(variation):
    counted = count(variation, SECONDS, FPS, seed=0)
    assert counted.there >= 10
    assert counted.found + LATE >= LEAST * counted.there
    assert counted.false <= 0.1 * counted.frames
