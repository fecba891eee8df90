"""How much of the machine there is for this process, and for whom in it first."""

import math
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of work, in how many


def usable_cores() -> int:
    """Count the cores that this process may keep busy; a container may be given fewer than all."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    try:
        work, time = _QUOTA.read_text().split()
        return min(cores, math.ceil(int(work) / int(time)))
    except (OSError, ValueError):  # no container of Linux; or "max", for no limit
        return cores


def yield_to_others(niceness: int) -> None:
    """Let other threads go first, of this process and of others, where the system can do that.

    Args:
        niceness: Of this thread from now on, and of those that it starts; as of
            `os.nice`, 0 to 19.
    """
    if sys.platform == "linux":  # where a thread may have a priority of its own
        niceness = max(niceness, os.getpriority(os.PRIO_PROCESS, 0))
        with suppress(OSError):  # a host may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
