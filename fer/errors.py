"""What can go wrong, as one tree.

::

    FerError
    ├── ModelError      a model file is missing, damaged or not one of ours
    ├── DatasetError    training data that cannot be used, with its row or path
    ├── TrainingError   a run that cannot be started, resumed or brought to its end
    ├── SourceError     a camera, file or stream that cannot be opened or read
    ├── OutputError     a file that cannot be written, or only in part
    └── DisplayError    no screen, or an OpenCV without windows

Each message is one sentence or two: what happened, what was expected and how
to mend it. Front ends print it and exit with 1. An argument of the wrong type
or shape is the caller's bug and raises ``ValueError`` as everywhere in Python.
"""


class FerError(Exception):
    """The root: catch it to catch everything this package raises by name."""


class ModelError(FerError):
    """A model file is missing, damaged or not one of ours."""


class DatasetError(FerError):
    """Training data that cannot be used; the message names the row or the path."""


class TrainingError(FerError):
    """A training run that cannot be started, resumed or brought to its end."""


class SourceError(FerError):
    """A camera, file or stream that cannot be opened or read."""


class OutputError(FerError):
    """A file that cannot be written, or only in part."""


class DisplayError(FerError):
    """No screen to show a window on, or an OpenCV built without windows."""
