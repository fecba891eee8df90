"""A window of Tk: a source's picture, and beside it the avatar of the largest face's expression."""

import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv
import typer

from fer import DisplayError, ExpressionPipeline, FerError
from fer.annotation import choose_avatars, describe
from fer.avatars import load_avatar, paste
from fer.cli._shared import INTERRUPTED
from fer.containers import FILM_SUFFIXES
from fer.pictures import SUFFIXES as PICTURE_SUFFIXES
from fer.playback import JOIN_S, Player, Result

try:
    import tkinter as tk
    from tkinter import filedialog, font, ttk
except ImportError:
    sys.exit(
        "This Python comes without Tk; install it (Debian, Ubuntu: apt install python3-tk, "
        "macOS: brew install python-tk) or use the page instead: scripts/app."
    )

_TITLE = "Facial expressions"
_PAPER, _INK, _ACCENT = "#f7f4ee", "#2b2a33", "#f2c744"
_SIDE = 220  # pixels of the avatar and of what is said under it
_POLL_MS = 15  # between two looks for a new frame
_FILES = " ".join(f"*{end} *{end.upper()}" for end in (*FILM_SUFFIXES, *PICTURE_SUFFIXES))

Image = npt.NDArray[np.uint8]


class Picture(tk.Canvas):
    """Shows an image as large as there is room for it."""

    def __init__(self, parent: tk.Misc, **options: Any) -> None:
        super().__init__(parent, highlightthickness=0, **options)
        self._photo = tk.PhotoImage(master=self)
        self._item = self.create_image(0, 0, image=self._photo)
        self._image: Image | None = None
        self.bind("<Configure>", lambda _: self.show(self._image))

    def show(self, image: Image | None) -> None:
        """Show a BGR image, uint8 of shape (H, W, 3), or nothing."""
        self._image = image
        room = self.winfo_width(), self.winfo_height()
        self.coords(self._item, room[0] / 2, room[1] / 2)
        if image is None:
            self._photo.blank()
            return
        height, width = image.shape[:2]
        scale = min(room[0] / width, room[1] / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        rgb = cv2.cvtColor(cv2.resize(image, size, interpolation=method), cv2.COLOR_BGR2RGB)
        # Tk reads this format as fast as Pillow fills a picture of Tk's.
        self._photo.configure(data=b"P6 %d %d 255 " % size + rgb.tobytes())


class App:
    """What is in the window, and what it does.

    Args:
        root: The window.
        model: As `fer.ExpressionPipeline` takes it.
        mirror: Whether to mirror the frames; None mirrors a camera's only.

    Attributes:
        player: What plays now, if anything.
        leaving: The player before, which may still have to let go of its source.
        exit_code: What the program is to exit with.
    """

    def __init__(self, root: tk.Tk, model: Path | None = None, mirror: bool | None = None) -> None:
        self.root = root
        self.player: Player | None = None
        self.leaving: Player | None = None
        self.exit_code = 0
        self._model, self._mirror = model, mirror
        self._shown: Result | None = None
        self._avatar = ""
        self.source = tk.StringVar(root, "0")
        self.said = tk.StringVar(root)
        self.status = tk.StringVar(root, "Press Start, or choose a file.")
        self.rate = tk.StringVar(root)
        _dress(root)
        self._lay_out()
        self._enable_buttons()
        self._bind_keys()
        self._poll()

    def start(self) -> None:
        """Play the chosen source from its beginning, in place of what plays now."""
        self.stop()
        self.root.focus_set()  # so that the next key is not taken for text
        source = self.source.get().strip() or "0"
        self.player = Player(source, self._model, self._mirror, self.leaving)
        self.status.set(f"Opening {self.player.title} …")
        self.player.start()
        self._enable_buttons()

    def stop(self) -> None:
        """End what plays."""
        if self.player:
            self.player.stop()
            self._end("Stopped.")
        self.picture.show(None)
        self._say("", "")

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
            self.source.set(path)
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
            self.status.set(f"Playing {self.player.title}")
            self._show(newest)
        if not alive:
            self._end(self.player.ending)

    def _show(self, result: Result) -> None:
        self.picture.show(result.scene)
        self.rate.set(f"{result.rate:.0f} frames a second" if result.rate else "")
        faces = result.detections
        if len(faces):
            largest: Any = faces[[int(faces.box_area.argmax())]]
            self._say(choose_avatars(largest)[0], describe(largest)[0])
        else:
            self._say("", "no face")

    def _say(self, avatar: str, text: str) -> None:
        self.said.set(text)
        if avatar != self._avatar:
            self._avatar = avatar
            self.avatar.show(_on_paper(avatar) if avatar else None)

    def _end(self, why: str) -> None:
        """Go on without a player; the last picture stays, as the source may have been one."""
        self.leaving, self.player = self.player, None
        self.status.set(why)
        self.rate.set("")
        self._enable_buttons()

    def _enable_buttons(self) -> None:
        self.start_button.state(["disabled" if self.player else "!disabled"])
        self.stop_button.state(["!disabled" if self.player else "disabled"])

    def _lay_out(self) -> None:
        self.root.title(_TITLE)
        self.root.columnconfigure(0, weight=3)
        self.root.columnconfigure(1, weight=1, minsize=_SIDE + 24)
        self.root.rowconfigure(1, weight=1)
        bar = ttk.Frame(self.root, padding=12)
        bar.grid(columnspan=2, sticky="ew")
        bar.columnconfigure(1, weight=1)
        ttk.Label(bar, text="Camera number, file or URL").grid(padx=(0, 8))
        self.chooser = ttk.Combobox(bar, textvariable=self.source, values=("0", "1", "2"), width=12)
        self.chooser.grid(row=0, column=1, sticky="ew")
        self.open_button = ttk.Button(bar, text="Open a file …", command=self.open_file)
        self.start_button = ttk.Button(bar, text="Start", command=self.start, style="Main.TButton")
        self.stop_button = ttk.Button(bar, text="Stop", command=self.stop)
        for column, button in enumerate((self.open_button, self.start_button, self.stop_button)):
            button.grid(row=0, column=column + 2, padx=(8, 0))
        bar.update_idletasks()  # makes its width known
        self.root.minsize(bar.winfo_reqwidth(), 360)
        self.picture = Picture(self.root, width=720, height=540, background=_INK)
        self.picture.grid(row=1, sticky="nsew", padx=(12, 0))
        side = ttk.Frame(self.root, padding=12)
        side.grid(row=1, column=1, sticky="nsew")
        side.columnconfigure(0, weight=1)
        side.rowconfigure((0, 2), weight=1)
        self.avatar = Picture(side, width=_SIDE, height=_SIDE, background=_PAPER)
        self.avatar.grid(row=0, sticky="sew")
        said = ttk.Label(side, textvariable=self.said, style="Said.TLabel", wraplength=_SIDE)
        said.grid(row=1, pady=8)
        foot = ttk.Frame(self.root, padding=12)
        foot.grid(columnspan=2, sticky="ew")
        status = ttk.Label(foot, textvariable=self.status)
        ttk.Label(foot, textvariable=self.rate).pack(side="right")
        status.pack(side="left", fill="x", expand=True)
        status.bind("<Configure>", lambda event: status.configure(wraplength=event.width))

    def _bind_keys(self) -> None:
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self.root.bind("<Escape>", lambda _: self.close())
        for key, action in (("q", self.close), ("Q", self.close), ("<space>", self.toggle)):
            self.root.bind(key, partial(_press, action))
        self.chooser.bind("<Return>", lambda _: self.start())
        self.chooser.bind("<<ComboboxSelected>>", lambda _: self.root.focus_set())


def _press(action: Callable[[], None], event: Any) -> None:
    """Do what a key says, unless it is typed into a field or presses a button."""
    if not isinstance(event.widget, ttk.Entry | ttk.Button):
        action()


def _on_paper(avatar: str) -> Image:
    """An avatar on the window's background, as a BGR image."""
    paper = np.full((512, 512, 3), sv.Color.from_hex(_PAPER).as_bgr(), np.uint8)
    paste(paper, load_avatar(avatar, len(paper)), (0, 0))
    return paper


def _dress(root: tk.Tk) -> None:
    """Set colours and fonts."""
    for name in ("TkDefaultFont", "TkTextFont"):
        font.nametofont(name, root).configure(size=11)
    root.configure(background=_PAPER)
    style = ttk.Style(root)
    style.theme_use("clam")  # the same on every system, and it takes colours
    style.configure(".", background=_PAPER, foreground=_INK)
    style.configure("TButton", padding=(14, 6), width=0)
    style.configure("TCombobox", padding=6)
    style.configure("Main.TButton", background=_ACCENT)
    style.map("Main.TButton", background=[("disabled", _PAPER), ("active", "#ffd95e")])
    style.configure("Said.TLabel", font=("TkDefaultFont", 20, "bold"), justify="center")


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
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror", help="Like a mirror. [default: for a camera, not for a file]"
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Another model: its folder or its .tflite file.")
    ] = None,
) -> None:
    """Show the faces of a camera or a video in a window, and an avatar of what they show.

    The space bar starts and stops; q and Esc close the window.
    """
    try:
        ExpressionPipeline(model)  # a model that cannot be used is said before the window opens
        app = App(open_window(), model, mirror)
    except FerError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    # Tk would only report a KeyboardInterrupt, and go on.
    signal.signal(signal.SIGINT, lambda *_: app.root.after(0, app.close, INTERRUPTED))
    if source is not None:
        app.source.set(source)
        app.start()
    app.root.mainloop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ending already
    if app.leaving:
        app.leaving.join(JOIN_S)
    raise typer.Exit(app.exit_code)


if __name__ == "__main__":
    typer.run(main)
