"""Times as people write them."""

import pytest

from fer.clock import clock


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0:00"),
        (4.6, "0:05"),
        (59.7, "1:00"),
        (61, "1:01"),
        (36_061, "10:01:01"),
    ],
)
def test_a_time_has_minutes_and_hours_where_there_are_any(seconds: float, written: str) -> None:
    assert clock(seconds) == written
