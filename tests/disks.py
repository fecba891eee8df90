"""Disks that are soon full."""

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_files(kilobytes: int) -> Iterator[None]:
    """Let no file grow beyond so much, here and in processes started here; it needs no rights."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a disk of its own with so much room; skip the test where nobody may, as in a container.

    That is a matter of rights, not of a missing part: FER_REQUIRE_ALL changes nothing about it.
    """
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=777", "tmpfs", str(folder)]
    for become in ([], ["sudo", "-n"]):
        if become and not shutil.which("sudo"):
            continue
        if subprocess.run(become + options, capture_output=True).returncode == 0:
            break
    else:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        # Lazily: what could not be written may still be open.
        subprocess.run([*become, "umount", "--lazy", str(folder)], check=True)
