"""Pictures that are written; `tests/test_cli_media.py` has those that are read."""

import os

import numpy as np
import pytest

from fer.errors import OutputError, SourceError
from fer.pictures import read_picture, write_picture


@pytest.mark.parametrize(
    ("name", "longest"),
    [("a.jpg", 65_500), ("A.JPEG", 65_500), ("a.webp", 16_383), ("a.gif", 65_535)],
)
def test_a_picture_that_is_longer_than_its_format_can_be_is_refused(tmp_path, capfd, name, longest):
    path = tmp_path / name
    with pytest.raises(OutputError, match=rf"{name}.*expected.*{longest:,} pixels.*PNG"):
        write_picture(path, np.zeros((longest + 1, 1, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
    write_picture(path, np.zeros((1, longest, 3), np.uint8))
    assert read_picture(path).shape == (1, longest, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "is a pipe or a device"),
        (os.mkdir, "is a folder"),
        (lambda path: os.symlink("nowhere", path), "does not exist"),
    ],
)
def test_what_is_no_file_is_called_what_it_is(tmp_path, make, what):
    make(tmp_path / "a.png")
    with pytest.raises(SourceError, match=rf"a\.png {what}; expected a picture"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_other_formats_are_for_the_longest_pictures(tmp_path, suffix):
    write_picture(tmp_path / f"a.{suffix}", np.zeros((1, 70_000, 3), np.uint8))
    assert read_picture(tmp_path / f"a.{suffix}").shape == (1, 70_000, 3)


def test_what_is_in_the_way_of_a_picture_in_the_making_is_said(tmp_path):
    (tmp_path / "a.partial.png").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_picture(tmp_path / "a.png", np.zeros((10, 10, 3), np.uint8))
