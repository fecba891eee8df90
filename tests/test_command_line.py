"""How a window's program ends when something goes wrong."""

import pytest
import typer

from fer import SourceError
from fer.command_line import ending_in_words


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (SourceError("There is no camera."), 1, "There is no camera.\n"),
        (OSError(28, "No space left on device", "a.mp4"), 1, "a.mp4: no space left on device.\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_ends_a_window_is_said_in_one_sentence(capsys, error, status, words):
    with pytest.raises(typer.Exit) as caught, ending_in_words():
        raise error
    assert (caught.value.exit_code, capsys.readouterr().err) == (status, words)
