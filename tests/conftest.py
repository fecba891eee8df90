"""What has to be so before any test begins.

libsrtp is loaded before any test loads TensorFlow. Each brings its own OpenSSL,
and loaded the other way round the process ends in a segmentation fault
(tensorflow/tensorflow#93969). The apps load no TensorFlow.
"""

import signal
import sys

import pytest
import streamlit_webrtc  # noqa: F401

# A shell lets what it starts in the background ignore Ctrl-C, and so would all
# programs that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the main module back after Streamlit's test of a script, which takes its place.

    A process that is spawned later would run that script.
    """
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
