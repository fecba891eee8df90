"""The video page: a film from the visitor's disk, read in a thread beside the page."""

from pathlib import Path

import numpy as np
import streamlit as st

from fer.classification import ExpressionClassifier
from fer.clock import clock
from fer.containers import FILM_SUFFIXES
from fer.errors import FerError
from fer.expressions import EXPRESSION_NAMES
from fer.films import NOT_CERTAIN, FilmTask
from fer.sample import SAMPLE_VIDEO
from fer.web import timeline
from fer.web.charts import follow_film
from fer.web.faces import bars_html
from fer.web.limits import FORMATS, LIMITS, MAX_DECODED, MAX_MINUTES, Film, check_film
from fer.web.look import choose_look
from fer.web.uploads import asked_for, download, empty, plain, short, take
from fer.web.visit import Visit, current_visit
from fer.web.work import FilmWork

_REFRESH_S = 0.5


def show(model: str | Path | None = None) -> None:
    """Draw the page.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Raises:
        FerError: The model is no good.
    """
    visit = current_visit()
    film: Film | None = st.session_state.get("film")
    work: FilmWork | None = st.session_state.get("film_work")
    if film is None or not film.path.exists():
        ExpressionClassifier(model)  # a missing model is better told before the upload
        _ask(visit)
        return
    st.subheader(plain(film.name), anchor=False)
    if work is None:
        _prepare(film, visit, model)
    elif not work.done:
        st.fragment(_follow, run_every=_REFRESH_S)(film, work)
    else:
        _show_result(film, work)


def _ask(visit: Visit) -> None:
    """Let the visitor choose a film."""
    st.caption(f"{LIMITS} and {st.get_option('server.maxUploadSize')} MB.")
    files = asked_for(
        st.file_uploader, "A film", type=list(FILM_SUFFIXES), label_visibility="collapsed"
    )
    sample = st.button("Use the sample")
    if files or sample:
        st.session_state["film_refused"] = ""
        try:
            if files:
                take(files[0], visit.folder / "film")
                film = check_film(visit.folder / "film", short(files[0].name))
            else:
                film = check_film(SAMPLE_VIDEO, "The sample")
            st.session_state["film"] = film
        except FerError as error:
            st.session_state["film_refused"] = str(error)
            _delete_files(visit)
        empty()
    if refused := st.session_state.get("film_refused"):
        st.error(plain(refused))


def _prepare(film: Film, visit: Visit, model: str | Path | None) -> None:
    """Let the visitor choose what is made of the film."""
    st.caption(f"{clock(film.length_s)} of video" if film.length_s else "Of unknown length")
    faces, attention = choose_look(model)
    with st.container(horizontal=True):
        if st.button("Read the film", type="primary"):
            task = FilmTask(
                str(film.path),
                visit.folder / "film-read.mp4",
                visit.folder / "film-read.csv",
                faces,
                attention,
                seconds=MAX_MINUTES * 60,
                max_pixels=MAX_DECODED,
                formats=FORMATS,
                name=film.name,
            )
            work = FilmWork(task, film.length_s or MAX_MINUTES * 60, model)
            visit.before_end(work.cancel)
            st.session_state["film_work"] = work
            st.rerun()
        st.button("Another film", on_click=_forget)


def _follow(film: Film, work: FilmWork) -> None:
    """Show how far the work is, once."""
    if work.done:
        st.rerun()
    others = work.waits_for
    if others:
        films = "1 film" if others == 1 else f"{others} films"
        st.progress(0.0, f"Waiting: {films} of other visitors must be read first.")
    elif film.length_s is None:
        st.progress(work.share, f"{clock(work.summary.end_s)} read")
    else:
        left = "" if work.left_s is None else f"; about {clock(work.left_s)} left"
        read = f"{clock(work.summary.end_s)} of {clock(film.length_s)} read"
        st.progress(work.share, read + left)
    st.caption("You may look at the other pages meanwhile: the work goes on.")
    if st.button("Cancel"):
        with st.spinner("Finishing what was read …"):
            work.cancel()
        st.rerun()


def _show_result(film: Film, work: FilmWork) -> None:
    """Show what was made of the film."""
    _say_how_it_ended(film, work)
    copy, rows = work.task.copy, work.task.rows
    if copy and rows and copy.exists() and rows.exists():
        pictures, words = st.columns([3, 2], gap="medium")
        with pictures:
            st.video(str(copy))
            st.caption("The mean of all faces; the line goes with the film, and moves it.")
            follow_film(work.timeline.columns(), work.summary.end_s)
        with words:
            st.html(_summary_html(work))
            with st.container(horizontal=True):
                download("Film", copy.read_bytes, "film.mp4", "video/mp4")
                download("Table of all frames", rows.read_bytes, "film.csv", "text/csv")
    with st.container(horizontal=True):
        st.button("Read it again", on_click=_forget_work)
        st.button("Another film", on_click=_forget)


def _say_how_it_ended(film: Film, work: FilmWork) -> None:
    until = clock(work.summary.end_s)
    if work.fault:
        sentence = plain(_named(work.fault, film, work.task))
        st.warning(sentence) if work.summary.frames else st.error(sentence)
    elif work.cancelled and work.summary.frames:
        st.info(f"Cancelled: what was read until then is below: {until}.")
    elif work.cancelled:
        st.info("Cancelled before anything was read.")
    elif film.length_s is None and work.summary.end_s > work.length_s - 1:
        st.info(f"Read as far as the limit allows: {until}.")


def _named(sentence: str, film: Film, task: FilmTask) -> str:
    """Say names that the visitor knows instead of paths."""
    # The source comes last: its path is how the others begin.
    names = {str(task.copy): "The film", str(task.rows): "The table", task.source: film.name}
    for path, name in names.items():
        sentence = sentence.replace(path, name)
    return sentence


def _summary_html(work: FilmWork) -> str:
    """Tell the share of each expression, and how often none could be told."""
    summary, shares = work.summary, work.summary.shares()
    if not summary.states:
        return bars_html("No face was found.", np.zeros(len(EXPRESSION_NAMES)))
    table = bars_html("Share of the faces", np.array([shares[name] for name in EXPRESSION_NAMES]))
    seen = timeline.percent(summary.frames_with_face / summary.frames)
    return (
        f"{table}<p>Not certain: {timeline.percent(shares[NOT_CERTAIN])}. "
        f"A face was in {seen} of the pictures.</p>"
    )


def _forget_work() -> None:
    """Let the same film be read anew."""
    st.session_state["film_work"] = None


def _forget() -> None:
    """Forget the film, and delete its files."""
    _forget_work()
    st.session_state["film"] = None
    _delete_files(current_visit())


def _delete_files(visit: Visit) -> None:
    for path in visit.folder.glob("film*"):
        path.unlink()
