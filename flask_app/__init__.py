"""The page for many viewers: ``python -m flask --app flask_app run``.

``FER_SOURCE`` names the source: the number of a camera (0 by default), a video
file or a URL. ``FER_LOOP=0`` lets a film end instead of beginning again, and
``FER_MODEL`` names another model.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import click
from flask import Blueprint, Flask, Response, abort, current_app, render_template, request

from fer.cameras import camera_number
from fer.errors import FerError, SourceError
from fer.expressions import EXPRESSIONS
from fer.media import Source, open_source
from fer.pipeline import ExpressionPipeline
from flask_app.broadcasting import Broadcaster
from flask_app.view import State, View

SOURCE_VARIABLE = "FER_SOURCE"
LOOP_VARIABLE = "FER_LOOP"

EVENTS_EVERY_S = 0.1
"""Between two events at least: more often nobody can read them."""

STALLED_S = 10.0
"""A viewer who takes nothing for so long is gone."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self'; "
    "script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_OPENING_TRIES = 3  # times QUIET_S in which a source is to give a picture

pages = Blueprint("pages", __name__)


def create_app(
    source: str | Callable[[], Source] | None = None,
    *,
    model: str | Path | None = None,
    loop: bool | None = None,
) -> Flask:
    """Make the application. Nothing is opened before somebody watches.

    Args:
        source: As `fer.media.open_source` takes it, or a function that opens
            one; by default what ``FER_SOURCE`` says, else the first camera.
        model: As `fer.ExpressionPipeline` takes it.
        loop: Whether a film begins again at its end; by default what
            ``FER_LOOP`` says (0 or 1), else yes.

    Returns:
        The application.

    Raises:
        FerError: The file is not there or no video, or the model cannot be used.
        click.ClickException: The same under Flask's command line, which prints
            the sentence and exits with 1.
    """
    try:
        opens = _opener(source)
        pipeline = ExpressionPipeline(model)
        loop = _loops() if loop is None else loop
    except FerError as error:
        if click.get_current_context(silent=True):
            raise click.ClickException(str(error)) from error
        raise
    app = Flask(__name__)
    app.extensions["fer"] = Broadcaster(opens, pipeline, loop=loop)
    app.register_blueprint(pages)
    return app


def _opener(source: str | Callable[[], Source] | None) -> Callable[[], Source]:
    """Return a function that opens the source; a file has to be there from the start."""
    if callable(source):
        return source
    name = source or os.environ.get(SOURCE_VARIABLE) or "0"
    if camera_number(name) is None and "://" not in name:
        open_source(name).close()
    return lambda: open_source(name)


def _loops() -> bool:
    choice = os.environ.get(LOOP_VARIABLE, "1")
    if choice not in ("0", "1"):
        raise SourceError(
            f"{LOOP_VARIABLE} is '{choice}'; expected 1 (a film begins again) or 0 (it ends)."
        )
    return choice == "1"


def _watch() -> "closing[Generator[View | None, None, None]]":
    """Watch, for as long as the viewer is there."""
    broadcaster: Broadcaster = current_app.extensions["fer"]
    connection = request.environ.get("werkzeug.socket")
    if connection:  # a viewer who has vanished without a word would block it for minutes
        connection.settimeout(STALLED_S)
    return closing(broadcaster.watch())


@pages.before_request
def _refuse_other_sites() -> None:
    """No page from elsewhere may switch the camera on."""
    foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
    if foreign and request.headers.get("Sec-Fetch-Mode") != "navigate":
        abort(403)


@pages.after_app_request
def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


@pages.get("/")
def index() -> str:
    """Show the page."""
    return render_template("index.html", expressions=EXPRESSIONS)


@pages.get("/stream.mjpg")
def stream() -> Response:
    """Send the picture: JPEG after JPEG, as browsers show it in an ``<img>``."""
    watching = _watch()

    def parts() -> Iterator[bytes]:
        # A browser shows a part once it has seen the boundary after it.
        yield b"--frame\r\n"
        with watching as views:
            for view in filter(None, views):
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(view.jpeg)}\r\n\r\n"
                yield head.encode() + view.jpeg + b"\r\n--frame\r\n"

    return Response(parts(), mimetype="multipart/x-mixed-replace; boundary=frame")


@pages.get("/events")
def events() -> Response:
    """Send the results as server-sent events; ``end`` is the end of a film."""
    watching = _watch()

    def messages() -> Iterator[str]:
        yield "retry: 1000\n\n"
        last = None
        with watching as views:
            for view in views:
                yield (
                    f"data: {view.result}\n\n" if view and view is not last else ": still here\n\n"
                )
                last = view
                time.sleep(EVENTS_EVERY_S)
        yield "event: end\ndata: {}\n\n"

    return Response(messages(), mimetype="text/event-stream")


@pages.get("/snapshot.jpg")
def snapshot() -> Response:
    """Send one annotated frame; with 503 the still picture if the source is lost."""
    with _watch() as views:
        view = next(filter(None, islice(views, _OPENING_TRIES)), None)
    if view is None:
        return Response("The source gives no picture.\n", 503, mimetype="text/plain")
    return Response(view.jpeg, 200 if view.state == State.LIVE else 503, mimetype="image/jpeg")


@pages.get("/healthz")
def healthz() -> tuple[dict[str, str | int], int]:
    """Say how the source is: 503 if it is lost while somebody watches."""
    broadcaster: Broadcaster = current_app.extensions["fer"]
    state = broadcaster.state
    return {"state": state, "viewers": broadcaster.viewers}, 503 if state == State.LOST else 200
