"""How much memory the page's server takes, alone and with one viewer.

    python -m benchmarks.page_memory [--seconds 20]

The server is started as `scripts/app` starts it, and looked at by a real
Chromium with a face before its camera. Needs the extra `dev` and Chromium.
"""

import argparse
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.browser import chromium, open_page, press, says_happy, start
from tests.streamlit_server import browser_arguments, running_page, write_camera_film


def main() -> None:
    """Look at the server before, during and after a visit, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    table = Table("the page's server", "resident MB")
    with tempfile.TemporaryDirectory() as name:
        film = write_camera_film(Path(name) / "camera.y4m")
        with (
            running_page(Path(name) / "log.txt") as server,
            chromium(*browser_arguments(film)) as browser,
        ):
            process = psutil.Process(server.pid)

            def look(moment: str) -> None:
                table.add_row(moment, f"{process.memory_info().rss / 2**20:.0f}")

            look("started")
            page = open_page(browser, server.url)
            start(page)
            says_happy(page)
            time.sleep(seconds)
            look(f"one viewer for {seconds:.0f} s")
            press(page, "STOP")
            page.get_by_text("the program saw").wait_for()
            look("after STOP")
    Console().print(table)


if __name__ == "__main__":
    main()
