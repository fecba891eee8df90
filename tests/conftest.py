"""Loads libsrtp before any test loads TensorFlow.

Each brings its own OpenSSL, and loaded the other way round the process ends in
a segmentation fault (tensorflow/tensorflow#93969). The apps load no TensorFlow.
"""

import streamlit_webrtc  # noqa: F401
