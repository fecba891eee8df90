"""What is to be seen in the Tk window: a picture, an avatar, a few words and three buttons."""

import tkinter as tk
from tkinter import font, ttk
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.annotation import choose_avatars, describe
from fer.avatars import load_avatar, paste
from fer.playback import Result

TITLE = "Facial expressions"
PAPER = "#f7f4ee"

_INK, _ACCENT = "#2b2a33", "#f2c744"
_SIDE = 220  # pixels of the avatar and of what is said under it

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


class View:
    """The widgets, and what they show; what the buttons do is up to the program.

    Args:
        root: The window.

    Attributes:
        source: What is typed or chosen as the source.
        status: What is said at the foot.
        rate: The frame rate, beside it.
        said: What is said of the largest face.
    """

    def __init__(self, root: tk.Tk) -> None:
        self.source = tk.StringVar(root, "0")
        self.said = tk.StringVar(root)
        self.status = tk.StringVar(root, "Press Start, or choose a file.")
        self.rate = tk.StringVar(root)
        self._avatar = ""
        _dress(root)
        root.title(TITLE)
        root.columnconfigure(0, weight=3)
        root.columnconfigure(1, weight=1, minsize=_SIDE + 24)
        root.rowconfigure(1, weight=1)
        self._lay_out_bar(root)
        self.picture = Picture(root, width=720, height=540, background=_INK)
        self.picture.grid(row=1, sticky="nsew", padx=(12, 0))
        self._lay_out_side(root)
        self._lay_out_foot(root)

    def show(self, result: Result) -> None:
        """Show a frame, and say what its largest face shows."""
        self.picture.show(result.scene)
        self.rate.set(f"{result.rate:.0f} frames a second" if result.rate else "")
        faces = result.detections
        if len(faces):
            largest: Any = faces[[int(faces.box_area.argmax())]]
            self._say(choose_avatars(largest)[0], describe(largest)[0])
        else:
            self._say("", "" if result.lost else "no face")

    def clear(self) -> None:
        """Show no frame, and say nothing of one."""
        self.picture.show(None)
        self._say("", "")

    def enable_buttons(self, playing: bool) -> None:
        """Let Stop be pressed while something plays, and Start while nothing does."""
        self.start_button.state(["disabled" if playing else "!disabled"])
        self.stop_button.state(["!disabled" if playing else "disabled"])

    def _say(self, avatar: str, text: str) -> None:
        self.said.set(text)
        if avatar != self._avatar:
            self._avatar = avatar
            self.avatar.show(_on_paper(avatar) if avatar else None)

    def _lay_out_bar(self, root: tk.Tk) -> None:
        bar = ttk.Frame(root, padding=12)
        bar.grid(columnspan=2, sticky="ew")
        bar.columnconfigure(1, weight=1)
        ttk.Label(bar, text="Camera number, file or URL").grid(padx=(0, 8))
        self.chooser = ttk.Combobox(bar, textvariable=self.source, values=("0", "1", "2"), width=12)
        self.chooser.grid(row=0, column=1, sticky="ew")
        self.open_button = ttk.Button(bar, text="Open a file …")
        self.start_button = ttk.Button(bar, text="Start", style="Main.TButton")
        self.stop_button = ttk.Button(bar, text="Stop")
        for column, button in enumerate((self.open_button, self.start_button, self.stop_button)):
            button.grid(row=0, column=column + 2, padx=(8, 0))
        bar.update_idletasks()  # makes its width known
        root.minsize(bar.winfo_reqwidth(), 360)

    def _lay_out_side(self, root: tk.Tk) -> None:
        side = ttk.Frame(root, padding=12)
        side.grid(row=1, column=1, sticky="nsew")
        side.columnconfigure(0, weight=1)
        side.rowconfigure((0, 2), weight=1)
        self.avatar = Picture(side, width=_SIDE, height=_SIDE, background=PAPER)
        self.avatar.grid(row=0, sticky="sew")
        said = ttk.Label(side, textvariable=self.said, style="Said.TLabel", wraplength=_SIDE)
        said.grid(row=1, pady=8)

    def _lay_out_foot(self, root: tk.Tk) -> None:
        foot = ttk.Frame(root, padding=12)
        foot.grid(columnspan=2, sticky="ew")
        status = ttk.Label(foot, textvariable=self.status)
        ttk.Label(foot, textvariable=self.rate).pack(side="right")
        status.pack(side="left", fill="x", expand=True)
        status.bind("<Configure>", lambda event: status.configure(wraplength=event.width))


def _on_paper(avatar: str) -> Image:
    """An avatar on the window's background, as a BGR image."""
    paper = np.full((512, 512, 3), sv.Color.from_hex(PAPER).as_bgr(), np.uint8)
    paste(paper, load_avatar(avatar, len(paper)), (0, 0))
    return paper


def _dress(root: tk.Tk) -> None:
    """Set colours and fonts."""
    for name in ("TkDefaultFont", "TkTextFont"):
        font.nametofont(name, root).configure(size=11)
    root.configure(background=PAPER)
    style = ttk.Style(root)
    style.theme_use("clam")  # the same on every system, and it takes colours
    style.configure(".", background=PAPER, foreground=_INK)
    style.configure("TButton", padding=(14, 6), width=0)
    style.configure("TCombobox", padding=6)
    style.configure("Main.TButton", background=_ACCENT)
    style.map("Main.TButton", background=[("disabled", PAPER), ("active", "#ffd95e")])
    style.configure("Said.TLabel", font=("TkDefaultFont", 20, "bold"), justify="center")
