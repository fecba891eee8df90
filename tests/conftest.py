"""What has to be so before any test begins.

libsrtp is loaded before any test loads TensorFlow. Each brings its own OpenSSL,
and loaded the other way round the process ends in a segmentation fault
(tensorflow/tensorflow#93969). The apps load no TensorFlow.
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit_webrtc  # noqa: F401

from tests.streamlit_server import Server, running_page, write_camera_film

# A shell lets what it starts in the background ignore Ctrl-C, and so would all
# programs that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the main module back after Streamlit's test of a script, which takes its place.

    A process that is spawned later would run that script.
    """
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The browser page, for all tests that leave it as it was."""
    with running_page(tmp_path_factory.mktemp("page") / "log.txt") as page:
        yield page


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's camera sees: a face that moves."""
    return write_camera_film(tmp_path_factory.mktemp("camera") / "astronaut.y4m")
