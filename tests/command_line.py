"""The command line, run in this process or, where signals matter, in one of its own."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fer import cli
from tests.waiting import PATIENCE_S
from tests.waiting import wait_for as wait_for

ROOT = Path(__file__).parent.parent


class Result(NamedTuple):
    code: int
    out: str
    err: str

    def is_one_sentence(self, *words: str) -> bool:
        """One line on stderr with these words, and no traceback."""
        return self.code == 1 and len(_said(self.err)) == 1 and all(w in self.err for w in words)


Fer = Callable[..., Result]


@pytest.fixture
def fer(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fer:
    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["fer", *map(str, arguments)])
        capfd.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        return Result(code, out, "\n".join(_said(err)))

    # The log would go to the stderr of the first test that ran.
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    return run


def start(*arguments: object, session: bool = False) -> "subprocess.Popen[str]":
    """Start a command in a process of its own, as the first of those of a terminal if so wished."""
    return subprocess.Popen(
        [sys.executable, "-m", "fer", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=session,
    )


def end(process: "subprocess.Popen[str]") -> Result:
    """Wait for a command to end."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return Result(process.returncode, out, "\n".join(_said(err)))


def _said(err: str) -> list[str]:
    """What the program says itself: LiteRT tells on stderr of what it runs on."""
    return [line for line in err.splitlines() if not line.startswith("INFO: Created Tensor")]
