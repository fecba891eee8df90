"""A timeline that follows a film as it plays, and leads it: all in the browser."""

import numpy as np
import numpy.typing as npt
import streamlit as st

from fer.clock import clock
from fer.web.timeline import chart_html, likeliest

_HTML = """<div class="fer-film"><div class="fer-drawn"></div>
<input type="range" min="0" step="any" aria-label="Moment of the film"><output></output></div>"""

# Over the chart lies a slider whose thumb is a thin line: mouse, finger and keys move it.
_CSS = """
.fer-film { position: relative; }
.fer-film input { position: absolute; inset: 0 0 auto; width: 100%; height: 4rem; margin: 0;
  -webkit-appearance: none; appearance: none; background: none; cursor: pointer; }
.fer-film input::-webkit-slider-thumb { -webkit-appearance: none; width: 4px; height: 4rem;
  background: currentColor; border: 1px solid Canvas; }
.fer-film input::-moz-range-thumb { width: 2px; height: 4rem; border: 1px solid Canvas;
  border-radius: 0; background: currentColor; }
.fer-film output { display: block; min-height: 1.5em; margin-top: -1rem;
  font-variant-numeric: tabular-nums; }
"""

# Events of media do not bubble, but can be caught on their way down, whichever
# element Streamlit has made for the film by then.
_JS = """
export default function ({ parentElement, data }) {
  const film = () => document.querySelector("video");
  const slider = parentElement.querySelector("input");
  const words = parentElement.querySelector("output");
  parentElement.querySelector(".fer-drawn").innerHTML = data.chart;
  slider.max = data.length_s;
  const tell = (time_s) => {
    const step = Math.min(data.texts.length - 1,
      Math.floor(time_s / data.length_s * data.texts.length) || 0); // of one frame: 0 / 0
    const clock = `${Math.floor(time_s / 60)}:${String(Math.floor(time_s % 60)).padStart(2, "0")}`;
    words.textContent = `${clock}: ${data.texts[step]}`;
    slider.setAttribute("aria-valuetext", words.textContent);
  };
  const follow = (event) => {
    if (event.target !== film()) return;
    slider.value = film().currentTime;
    tell(film().currentTime);
  };
  slider.oninput = () => {
    tell(Number(slider.value));
    if (film()) film().currentTime = slider.value;
  };
  slider.value = film()?.currentTime ?? 0;
  tell(Number(slider.value));
  const events = ["timeupdate", "seeking"];
  events.forEach((name) => document.addEventListener(name, follow, true));
  return () => events.forEach((name) => document.removeEventListener(name, follow, true));
}
"""


def follow_film(columns: npt.NDArray[np.float64], length_s: float) -> None:
    """Draw the timeline of the film that the page shows.

    A line on it goes with the film; moved by mouse, finger or arrow keys, it
    takes the film with it.

    Args:
        columns: As `fer.web.timeline.Timeline.columns` gives it.
        length_s: How long the film is, in seconds.
    """
    component = st.components.v2.component(
        "fer_film", html=_HTML, css=_CSS, js=_JS, isolate_styles=False
    )
    texts = [likeliest(step[np.newaxis][: int(step.any())]) for step in columns]
    chart = chart_html(columns, "0:00", clock(length_s))
    component(key="timeline", data={"chart": chart, "texts": texts, "length_s": length_s})
