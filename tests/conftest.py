"""What has to be so before any test begins.

libsrtp is loaded before any test loads TensorFlow. Each brings its own OpenSSL,
and loaded the other way round the process ends in a segmentation fault
(tensorflow/tensorflow#93969). The apps load no TensorFlow.
"""

import signal

import streamlit_webrtc  # noqa: F401

# A shell lets what it starts in the background ignore Ctrl-C, and so would all
# programs that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
