"""What the server of the page writes to its log: one line of JSON for each event.

Streams and errors are told; pictures, names and addresses of visitors are not.
"""

import json
import logging
import os
import threading
from datetime import UTC, datetime

from fer.errors import FerError

LEVEL_VARIABLE = "FER_LOG_LEVEL"
"""The environment variable with the least level that is written, by default ``INFO``."""

_setting_up = threading.Lock()
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# What they write below a warning names visitors' addresses.
_TALKATIVE = ("aioice", "aiortc", "streamlit_webrtc")


class JsonFormatter(logging.Formatter):
    """Writes a record as a line of JSON: time, level, logger, event, and what came with it.

    What belongs to an event comes as ``extra``::

        logger.info("stream ended", extra={"fields": {"length_s": 61.2, "frames": 1830}})
    """

    def format(self, record: logging.LogRecord) -> str:  # noqa: D102 (see the base class)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **{name: _short(value) for name, value in getattr(record, "fields", {}).items()},
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _short(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value


def set_up() -> None:
    """Have what `fer` logs written to standard error; a second call changes nothing.

    Raises:
        FerError: ``FER_LOG_LEVEL`` is no level.
    """
    level = os.environ.get(LEVEL_VARIABLE, "INFO").upper()
    if level not in _LEVELS:
        raise FerError(f"{LEVEL_VARIABLE} is {level}; expected one of {', '.join(_LEVELS)}.")
    logger = logging.getLogger("fer")
    with _setting_up:
        if not any(isinstance(handler.formatter, JsonFormatter) for handler in logger.handlers):
            handler = logging.StreamHandler()
            handler.setFormatter(JsonFormatter())
            logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
