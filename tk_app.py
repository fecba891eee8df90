"""A window of Tk: a source's picture, and beside it the avatar of the largest face's expression."""

import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fer import DisplayError, ExpressionPipeline
from fer.command_line import INTERRUPTED, Mirror, Model, ending_in_words
from fer.containers import FILM_SUFFIXES
from fer.pictures import SUFFIXES as PICTURE_SUFFIXES
from fer.playback import JOIN_S, Player, Result

try:
    import tkinter as tk
    from tkinter import filedialog, ttk
except ImportError:
    sys.exit(
        "This Python comes without Tk; install it (Debian, Ubuntu: apt install python3-tk, "
        "macOS: brew install python-tk) or use the page instead: scripts/app."
    )

from fer.tk_view import View

_POLL_MS = 15  # between two looks for a new frame
_FILES = " ".join(f"*{end} *{end.upper()}" for end in (*FILM_SUFFIXES, *PICTURE_SUFFIXES))


class App:
    """What the buttons and keys of the window do.

    Args:
        root: The window.
        model: As `fer.ExpressionPipeline` takes it.
        mirror: Whether to mirror the frames; None mirrors a camera's only.

    Attributes:
        view: What is in the window.
        player: What plays now, if anything.
        leaving: The player before, which may still have to let go of its source.
        exit_code: What the program is to exit with.
    """

    def __init__(self, root: tk.Tk, model: Path | None = None, mirror: bool | None = None) -> None:
        self.root = root
        self.view = View(root)
        self.player: Player | None = None
        self.leaving: Player | None = None
        self.exit_code = 0
        self._model, self._mirror = model, mirror
        self._shown: Result | None = None
        self.view.enable_buttons(playing=False)
        self._bind()
        self._poll()

    def start(self) -> None:
        """Play the chosen source from its beginning, in place of what plays now."""
        self.stop()
        self.root.focus_set()  # so that the next key is not taken for text
        source = self.view.source.get().strip() or "0"
        self.player = Player(source, self._model, self._mirror, self.leaving)
        self.view.status.set(f"Opening {self.player.title} …")
        self.player.start()
        self.view.enable_buttons(playing=True)

    def stop(self) -> None:
        """End what plays."""
        if self.player:
            self.player.stop()
            self._end("Stopped.")
        self.view.clear()

    def toggle(self) -> None:
        """Stop what plays, or start."""
        (self.stop if self.player else self.start)()

    def open_file(self) -> None:
        """Let the person choose a file, and play it."""
        kinds = [("Videos and pictures", _FILES), ("All files", "*")]
        try:
            path = filedialog.askopenfilename(parent=self.root, filetypes=kinds)
        except tk.TclError:  # the window was closed under the dialog
            return
        if path:
            self.view.source.set(path)
            self.start()

    def close(self, exit_code: int = 0) -> None:
        """Close the window."""
        self.exit_code = exit_code
        self.stop()
        self.root.destroy()

    def _poll(self) -> None:
        """Show what is new; again and again, as only this thread may touch the window."""
        self.root.after(_POLL_MS, self._poll)
        if not self.player:
            return
        alive = self.player.is_alive()  # asked first: the last frame may come meanwhile
        newest = self.player.newest
        if newest and newest is not self._shown:
            self._shown = newest
            title = self.player.title
            self.view.status.set(
                f"{title} gives no more pictures: is it unplugged? It comes back by itself."
                if newest.lost
                else f"Playing {title}"
            )
            self.view.show(newest)
        if not alive:
            self._end(self.player.ending)

    def _end(self, why: str) -> None:
        """Go on without a player; the last picture stays, as the source may have been one."""
        self.leaving, self.player = self.player, None
        self.view.status.set(why)
        self.view.rate.set("")
        self.view.enable_buttons(playing=False)

    def _bind(self) -> None:
        self.view.open_button.configure(command=self.open_file)
        self.view.start_button.configure(command=self.start)
        self.view.stop_button.configure(command=self.stop)
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self.root.bind("<Escape>", lambda _: self.close())
        for key, action in (("q", self.close), ("Q", self.close), ("<space>", self.toggle)):
            self.root.bind(key, partial(_press, action))
        self.view.chooser.bind("<Return>", lambda _: self.start())
        self.view.chooser.bind("<<ComboboxSelected>>", lambda _: self.root.focus_set())


def _press(action: Callable[[], None], event: Any) -> None:
    """Do what a key says, unless it is typed into a field or presses a button."""
    if not isinstance(event.widget, ttk.Entry | ttk.Button):
        action()


def open_window() -> tk.Tk:
    """Open an empty window.

    Raises:
        DisplayError: There is no screen.
    """
    try:
        return tk.Tk(className="Fer")
    except tk.TclError as error:
        raise DisplayError(
            f"There is no display to show a window on ({error}); use the page instead: scripts/app."
        ) from None


def main(
    source: Annotated[
        str | None,
        typer.Option(help="Play this at once: number of a camera, a video file or a URL."),
    ] = None,
    mirror: Mirror = None,
    model: Model = None,
) -> None:
    """Show the faces of a camera or a video in a window, and an avatar of what they show.

    The space bar starts and stops; q and Esc close the window.
    """
    with ending_in_words():
        ExpressionPipeline(model)  # a model that cannot be used is said before the window opens
        app = App(open_window(), model, mirror)
    # Tk would only report a KeyboardInterrupt, and go on.
    signal.signal(signal.SIGINT, lambda *_: app.root.after(0, app.close, INTERRUPTED))
    if source is not None:
        app.view.source.set(source)
        app.start()
    app.root.mainloop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ending already
    if app.leaving:
        app.leaving.join(JOIN_S)
    raise typer.Exit(app.exit_code)


if __name__ == "__main__":
    typer.run(main)
