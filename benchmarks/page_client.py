"""Viewers in a real Chromium with a face before its camera, each in a window of its own.

    python -m benchmarks.page_client URL [--viewers 1]

Opens the page, presses START and prints a line for each picture that came
back; then stays until it is killed. Needs the extra `dev` and Chromium.
"""

import argparse
import tempfile
import time
from pathlib import Path

from tests.browser import chromium, open_page, start
from tests.streamlit_server import browser_arguments, write_camera_film


def main() -> None:
    """Watch for ever."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--viewers", type=int, default=1)
    arguments = parser.parse_args()
    film = Path(tempfile.gettempdir()) / "fer-benchmark-camera.y4m"
    if not film.exists():
        write_camera_film(film)
    print("ready", flush=True)
    with chromium(*browser_arguments(film)) as browser:
        for _ in range(arguments.viewers):
            start(open_page(browser, arguments.url))
            print("answered", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main()
