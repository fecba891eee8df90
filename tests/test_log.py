"""The log of the page: lines that a program can read, and nobody is named in them."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fer.errors import FerError
from fer.web import log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Begin without a handler, which a page of another test may have left; give all back after."""
    loggers = [logging.getLogger(name) for name in ("fer", *log._TALKATIVE)]
    before = [(one.level, one.propagate, list(one.handlers)) for one in loggers]
    logging.getLogger("fer").handlers = []
    yield
    for one, (level, propagate, handlers) in zip(loggers, before, strict=True):
        one.setLevel(level)
        one.propagate, one.handlers = propagate, handlers


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_with_what_belongs_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    fields = {"length_s": 61.2, "frames": 1830}
    logging.getLogger("fer.web.processor").info("stream ended", extra={"fields": fields})
    [line] = logged(capsys)
    assert line["event"] == "stream ended"
    assert line["level"] == "INFO"
    assert line["logger"] == "fer.web.processor"
    assert line["time"].endswith("+00:00")
    assert (line["length_s"], line["frames"]) == (61.2, 1830)


def test_an_error_is_one_line_with_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    try:
        raise ValueError("a frame\nof no use")
    except ValueError:
        logging.getLogger("fer.web").exception("A frame could not be read.")
    [line] = logged(capsys)
    assert "ValueError: a frame\nof no use" in line["error"]


def test_a_second_set_up_writes_no_line_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        log.set_up()
    logging.getLogger("fer").warning("once")
    assert len(logged(capsys)) == 1


def test_the_environment_says_how_much_is_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(log.LEVEL_VARIABLE, "error")
    log.set_up()
    logging.getLogger("fer.web").warning("not this")
    logging.getLogger("fer.web").error("this")
    assert [line["event"] for line in logged(capsys)] == ["this"]
    monkeypatch.setenv(log.LEVEL_VARIABLE, "loud")
    with pytest.raises(FerError, match="FER_LOG_LEVEL is LOUD; expected one of DEBUG"):
        log.set_up()


def test_what_names_visitors_addresses_is_not_written(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(log.LEVEL_VARIABLE, "DEBUG")
    log.set_up()
    with caplog.at_level(logging.DEBUG):  # of everything that has no level of its own
        logging.getLogger("aioice.ice").info("Check ('192.0.2.7', 1234) succeeded")
        logging.getLogger("aiortc.rtcicetransport").debug("192.0.2.7")
    assert not caplog.records
