"""Two portraits in the public domain and a film of them, for a visitor without a camera.

``SOURCES.md`` beside them says who is shown, by whom and why they are free;
``scripts/sample`` makes the files.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent

SAMPLE_PHOTOS: tuple[Path, ...] = (_FOLDER / "collins.jpg", _FOLDER / "hopper.jpg")
"""JPEG files, each with one face: one that smiles, one at rest."""

SAMPLE_VIDEO: Path = _FOLDER / "sample.mp4"
"""H.264 in MP4, 640×480, 12 seconds without sound; its end passes into its beginning.

Both faces are in view all the time. From 4 to 7 s one is too dark to be read,
from 8 to 11 s the other is out of focus, and the program unsure of it.
"""
