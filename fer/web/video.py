"""Being built."""

from pathlib import Path


def show(model: str | Path | None = None) -> None:
    """Draw the page."""
