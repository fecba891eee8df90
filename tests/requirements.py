"""Programs that a test needs: without one it is skipped, or fails where FER_REQUIRE_ALL=1."""

import os
import shutil
from typing import NoReturn

import pytest


def require(program: str) -> str:
    """The path of a program, such as ``Xvfb``."""
    path = shutil.which(program)
    if path is None:
        missing(f"{program} is not installed")
    return path


def missing(what: str) -> NoReturn:
    """Skip the test for want of something, or fail it where nothing may be wanting."""
    if os.environ.get("FER_REQUIRE_ALL") == "1":
        pytest.fail(f"{what}, and FER_REQUIRE_ALL=1")
    pytest.skip(what, allow_module_level=True)
