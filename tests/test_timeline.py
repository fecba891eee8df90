"""Probabilities over time: what is kept of them, and how they are drawn."""

import re

import numpy as np
import pytest

from fer import EXPRESSIONS
from fer.expressions import EXPRESSION_NAMES
from fer.web.timeline import Timeline, chart_html, likeliest

HAPPY, SAD = EXPRESSION_NAMES.index("happy"), EXPRESSION_NAMES.index("sad")


def certain(expression: int) -> np.ndarray:
    return np.eye(len(EXPRESSIONS))[expression]


def test_a_step_is_the_mean_of_what_fell_into_it() -> None:
    timeline = Timeline(1.0, 10, whole=True)
    for time_s, expression in ((0.1, HAPPY), (0.5, HAPPY), (0.9, HAPPY), (0.95, SAD), (1.2, SAD)):
        timeline.add(time_s, certain(expression))
    columns = timeline.columns()
    assert columns.shape == (2, 7)
    assert columns[0, HAPPY] == 0.75 and columns[0, SAD] == 0.25
    assert columns[1, SAD] == 1


def test_the_newest_steps_come_last_and_the_oldest_are_forgotten() -> None:
    timeline = Timeline(1.0, 60)
    timeline.add(0.0, certain(SAD))
    timeline.add(30.0, certain(HAPPY))
    assert timeline.columns().shape == (60, 7)
    assert timeline.columns()[59, HAPPY] == 1 and timeline.columns()[29, SAD] == 1
    timeline.add(60.0, certain(HAPPY))
    assert timeline.columns()[29, HAPPY] == 1
    assert not timeline.columns()[:, SAD].any(), "a minute has passed"


def test_what_could_not_be_read_leaves_a_gap() -> None:
    timeline = Timeline(1.0, 10, whole=True)
    timeline.add(0.0, certain(HAPPY))
    for time_s in (1.0, 2.0, 3.0):
        timeline.add(time_s, None)
    assert timeline.columns().any(axis=1).tolist() == [True, False, False, False]


def test_ten_hours_take_no_more_room_than_four_minutes() -> None:
    timeline = Timeline(1.0, 240, whole=True)
    for second in range(36_000):
        timeline.add(second, certain(HAPPY if second < 18_000 else SAD))
    columns = timeline.columns()
    assert 120 < len(columns) <= 240
    assert columns[:, HAPPY].mean() == pytest.approx(0.5, abs=0.01)
    assert columns[0, HAPPY] == 1 and columns[-1, SAD] == 1


def test_an_empty_timeline_is_drawn_too() -> None:
    assert Timeline(1.0, 60).columns().shape == (60, 7)
    assert "nothing read" in chart_html(Timeline(1.0, 60, whole=True).columns(), "0:00", "0:00")


def test_the_areas_lie_one_on_another_and_fill_the_height() -> None:
    columns = np.tile(certain(HAPPY) * 0.75 + certain(SAD) * 0.25, (4, 1))
    html = chart_html(columns, "begin", "end")
    tops = {
        name: re.search(rf'title="{name}"[^>]*polygon\(0 100%,0% (\d+)%,100% \1%,', html)[1]
        for name in ("angry", "happy", "sad", "neutral")
    }
    assert tops == {"angry": "100", "happy": "25", "sad": "0", "neutral": "0"}
    # What is painted later lies on top: the first expression last.
    assert html.index('title="neutral"') < html.index('title="happy"') < html.index('title="angry"')


def test_a_chart_says_in_words_what_it_shows() -> None:
    columns = np.tile(certain(HAPPY) * 0.72 + certain(SAD) * 0.28, (4, 1))
    html = chart_html(columns, "0:00", "1:12")
    assert 'role="img" aria-label="0:00 to 1:12: happy 72 %, sad 28 %"' in html
    assert "<span>happy 72 %, sad 28 %</span>" in html
    assert all(color in html for _, color in EXPRESSIONS)


def test_what_is_rare_goes_unmentioned() -> None:
    assert likeliest(np.array([certain(HAPPY) * 0.96 + certain(SAD) * 0.04])) == "happy 96 %"
    assert likeliest(np.empty((0, 7))) == "nothing read"


def test_a_minute_of_a_calm_face_is_little_to_send() -> None:
    timeline = Timeline(1.0, 60)
    for second in range(60):
        timeline.add(second, certain(HAPPY))
    assert len(chart_html(timeline.columns(), "a minute ago", "now")) < 2_000
