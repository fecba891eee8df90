"""How late the live page's picture is in a real Chromium, beside what the page says of it.

    python -m benchmarks.delay [--seconds 15]

The camera's film carries the number of each frame. The camera's own picture and
what comes back are looked at together, at each refresh of the screen, so that
the difference of their numbers is the true delay but for the camera itself.
Needs the extra `dev` and Chromium.
"""

import argparse
import re
import tempfile
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.media_client import write_number
from tests.browser import chromium, says_happy, start
from tests.streamlit_server import browser_arguments, running_page
from tests.synthetic import Face, FaceVideo

FPS = 30
FRAMES = 240
# Keeps the camera's stream, so that its picture can be looked at beside the answer.
KEEP_CAMERA = """
const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (ask) navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await ask(wish), video = document.createElement("video");
  Object.assign(video, { srcObject: stream, muted: true });
  await video.play();
  window.camera = video;
  return stream;
};
"""
# Pairs of numbers, the camera's and the mirrored answer's, while both are read.
COMPARE = """(seconds) => new Promise((done) => {
  const canvas = document.createElement("canvas"), pairs = [];
  [canvas.width, canvas.height] = [640, 480];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const read = (video, mirrored) => {
    context.drawImage(video, 0, 0, 640, 480);
    const row = context.getImageData(0, 464, 640, 1).data;
    let number = 0;
    for (let bit = 0; bit < 8; bit++) {
      const x = 32 * bit + 16;
      if (row[4 * (mirrored ? 639 - x : x) + 1] > 128) number += 1 << bit;
    }
    return number;
  };
  const start = performance.now();
  const look = () => {
    pairs.push([read(window.camera, false), read(document.querySelector("video"), true)]);
    if (performance.now() - start > 1000 * seconds) done(pairs);
    else requestAnimationFrame(look);
  };
  look();
})"""


def write_numbered_film(path: Path) -> Path:
    """Write the camera's picture as Y4M, with the number of each frame."""
    video = FaceVideo((Face(period_s=4.0),), seconds=FRAMES / FPS, fps=FPS)
    with open(path, "wb") as film:
        film.write(f"YUV4MPEG2 W640 H480 F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for number, frame in enumerate(video.frames()):
            write_number(frame, number)
            film.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


def measure(seconds: float) -> tuple[list[float], list[float]]:
    """Give the true delays and those that the page says, in milliseconds."""
    true_ms: list[float] = []
    said_ms: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = write_numbered_film(folder / "numbers.y4m")
        with (
            running_page(folder / "log.txt") as server,
            chromium(*browser_arguments(film)) as browser,
        ):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(KEEP_CAMERA)
            page.goto(server.url)
            holder = start(page)
            says_happy(page)
            late = page.get_by_text(re.compile(r"about \d+ ms late"))
            late.wait_for()
            for _ in range(round(seconds)):
                pairs = holder.evaluate(COMPARE, 1)
                true_ms += [1e3 / FPS * ((sent - back) % FRAMES) for sent, back in pairs]
                said = re.search(r"about (\d+) ms late", late.inner_text())
                said_ms += [float(said[1])] if said else []
    return true_ms, said_ms


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15)
    table = Table("ms from camera to screen", "5 %", "median", "95 %")
    names = ("by the frames' numbers", "as the page says")
    for name, delays in zip(names, measure(parser.parse_args().seconds), strict=True):
        table.add_row(name, *(f"{delay:.0f}" for delay in np.percentile(delays, [5, 50, 95])))
    Console().print(table)


if __name__ == "__main__":
    main()
