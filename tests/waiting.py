"""How tests wait: for what is to come, never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 120  # a busy machine is slow; nothing waits for so long that goes well

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str) -> T:
    """The condition's value, once it is a true one."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE_S} s in vain for {what}"
        time.sleep(0.02)
    return value
