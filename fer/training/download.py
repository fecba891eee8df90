"""FER-2013 from Kaggle."""

import importlib.util
import logging
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from fer.errors import DatasetError

DATASET = "msambare/fer2013"
"""Kaggle's name of the folder set, with ``train/<expression>/*`` and ``test/<expression>/*``."""

PAGE = f"https://www.kaggle.com/datasets/{DATASET}"
"""Where a browser finds it."""

_API = "https://api.kaggle.com"
_TIMEOUT_S = 10.0  # for Kaggle to answer at all
_SIGN_IN = (
    "make a token at https://www.kaggle.com/settings and put it into the environment variable "
    "KAGGLE_API_TOKEN or the file ~/.kaggle/access_token"
)


def download(out: Path) -> Path:
    """Fetch the folder set of FER-2013.

    Args:
        out: Folder that is to hold ``train`` and ``test``. It must not be
            there yet, or be empty; where it holds the set, nothing is fetched.

    Returns:
        `out`.

    Raises:
        DatasetError: `out` holds something else, kagglehub is missing, Kaggle
            cannot be reached or refuses, or what came is not the set.
    """
    if _is_set(out):
        return out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} holds something else already: name a new folder with --out.")
    if importlib.util.find_spec("kagglehub") is None:
        raise DatasetError('The download needs kagglehub: pip install -e ".[kaggle]"')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".fer2013-") as partial:
        folder = Path(partial, "fer2013")
        _fetch(folder)
        if not _is_set(folder):
            raise DatasetError(f"Kaggle's {DATASET} no longer holds train/ and test/.")
        if out.exists():
            out.rmdir()  # Windows replaces no folder, not even an empty one
        os.replace(folder, out)
    return out


def _is_set(folder: Path) -> bool:
    return (folder / "train").is_dir() and (folder / "test").is_dir()


def _fetch(folder: Path) -> None:
    """Have kagglehub fetch the set; each of its many errors becomes one sentence."""
    import kagglehub
    import requests
    from kagglehub.config import get_kaggle_credentials
    from kagglehub.exceptions import DataCorruptionError

    # Its notes about archives say less than its progress bar.
    logging.getLogger("kagglehub").setLevel(logging.WARNING)
    try:
        get_kaggle_credentials()
    except ValueError as error:
        raise DatasetError(f"{error}: {_SIGN_IN}.") from error
    try:
        # kagglehub itself waits without end for a network that swallows everything.
        requests.head(_API, timeout=_TIMEOUT_S)
        fetched = kagglehub.dataset_download(DATASET, output_dir=str(folder), force_download=True)
        if Path(fetched) != folder:  # a notebook of Kaggle's own has it at hand
            shutil.copytree(fetched, folder, dirs_exist_ok=True)
        shutil.rmtree(folder / ".complete", ignore_errors=True)  # kagglehub's mark
    except requests.HTTPError as error:
        raise DatasetError(_refusal(error.response)) from error
    except requests.RequestException as error:
        raise DatasetError(
            "Kaggle cannot be reached, or the connection was cut: expected a network with a way to "
            f"{_API}; try again, or fetch {PAGE} with a browser."
        ) from error
    except (DataCorruptionError, ValueError, zipfile.BadZipFile, tarfile.TarError, zlib.error):
        raise DatasetError("What came from Kaggle is damaged: try again.") from None
    except OSError as error:
        raise DatasetError(
            f"The data set cannot be written to {folder.parent.parent}: {error.strerror or error}."
        ) from error


def _refusal(response: Any) -> str:
    status = None if response is None else response.status_code
    if status in (401, 403):
        return f"Kaggle refuses ({status}): {_SIGN_IN}."
    if status == 404:
        return f"Kaggle no longer has {DATASET} (404): look for another copy of FER-2013."
    return f"Kaggle answers with an error ({status}): try again later."
