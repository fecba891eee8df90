"""The Tk window, on a real X server, under real clicks and keys."""

import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import cv2
import pytest
import supervision as sv

from fer.annotation import describe
from tests.cameras import Camera
from tests.films import write_turned_film
from tests.requirements import missing
from tests.synthetic import Face, FaceVideo, portrait, write_video
from tests.waiting import PATIENCE_S, wait_for
from tests.xserver import (
    Program,
    find_window,
    press_close_button,
    running_xserver,
    screenshot,
    xdotool,
)

try:
    import tk_app
except SystemExit as said:
    missing(str(said))

from fer.tk_view import PAPER, TITLE

FPS = 10
HAPPY_YELLOW, MOUTH_RED, SAD_BLUE = (0x44, 0xC7, 0xF2), (0x3F, 0x2F, 0x8C), (0xA7, 0x79, 0x4E)

pytestmark = [
    pytest.mark.display,
    pytest.mark.skipif(sys.platform != "linux", reason="X11 is Linux's"),
]


@pytest.fixture(scope="module")
def display():
    with running_xserver("1000x800") as name:
        yield name


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """The astronaut for a long time and for a second; two faces; nobody."""
    folder = tmp_path_factory.mktemp("films")
    astronaut = cv2.resize(portrait("astronaut")[:384], (320, 240))
    write_video(folder / "astronaut.mp4", [astronaut] * 600, FPS)
    write_video(folder / "short.mp4", [astronaut] * 10, FPS)
    small, large = Face(center=(60, 60), side=60), Face("hopper", center=(200, 130), side=130)
    for name, faces in (("two", (small, large)), ("nobody", ())):
        still = next(FaceVideo(faces, size=(320, 240)).frames())
        write_video(folder / f"{name}.mp4", [still] * 300, FPS)
    return folder


class Person:
    """Somebody at the window, which runs in this process."""

    def __init__(self, display, app, folder):
        self.display, self._folder = display, folder
        self.app, self.view = app, app.view

    def wait_for(self, condition, what):
        def served():
            self.app.root.update()
            return condition()

        return wait_for(served, what)

    def reads(self, *words):
        status = self.view.status
        self.wait_for(lambda: all(w in status.get() for w in words), f"{words} in the status line")

    def click(self, widget):
        self.app.root.update()
        x = widget.winfo_rootx() + widget.winfo_width() // 2
        y = widget.winfo_rooty() + widget.winfo_height() // 2
        xdotool(self.display, "mousemove", x, y, "click", 1)

    def press(self, *keys):
        xdotool(self.display, "key", *keys)

    def take_focus(self):
        """Do what a window manager would do for a new window."""

        window = self.wait_for(lambda: find_window(self.display, TITLE), "the window")
        xdotool(self.display, "windowfocus", "--sync", window)
        self.wait_for(self.app.root.focus_get, "the focus")
        return window

    def sees(self, color, widget):
        """How many pixels of a widget have a colour, nearly."""
        self.app.root.update()
        screen = screenshot(self.display, self._folder / "screen.bmp").astype(int)
        x, y = widget.winfo_rootx(), widget.winfo_rooty()
        shown = screen[y : y + widget.winfo_height(), x : x + widget.winfo_width()]
        return int((abs(shown - color).max(axis=2) <= 4).sum())

    def is_open(self):
        try:
            return bool(self.app.root.winfo_exists())
        except tk_app.tk.TclError:
            return False


@pytest.fixture
def person(display, monkeypatch, tmp_path):
    monkeypatch.setenv("DISPLAY", display)
    before = set(threading.enumerate())
    app = tk_app.App(tk_app.open_window())
    someone = Person(display, app, tmp_path)
    someone.window = someone.take_focus()
    yield someone
    if someone.is_open():
        app.close()
    wait_for(lambda: set(threading.enumerate()) <= before, "all threads to end")


def test_start_shows_the_picture_and_the_avatar_and_stop_takes_them_away(person, films):
    app, view = person.app, person.view
    view.source.set(str(films / "astronaut.mp4"))
    person.click(view.start_button)
    person.wait_for(lambda: view.said.get().startswith("happy"), "a happy astronaut")
    person.wait_for(lambda: "frames a second" in view.rate.get(), "the frame rate")
    assert view.said.get().endswith(" %")
    assert person.sees(HAPPY_YELLOW, view.picture) > 300, "no frame round the face"
    assert person.sees(HAPPY_YELLOW, view.avatar) > 3000
    assert person.sees(MOUTH_RED, view.avatar) > 300
    assert not person.sees(SAD_BLUE, view.avatar)
    player = app.player
    person.click(view.stop_button)
    person.reads("Stopped")
    wait_for(lambda: not player.is_alive(), "the thread to end")
    assert not person.sees(HAPPY_YELLOW, view.picture)
    assert not person.sees(HAPPY_YELLOW, view.avatar)
    assert view.said.get() == view.rate.get() == ""


def test_a_button_that_would_do_nothing_is_disabled(person, films):
    view = person.view
    assert view.stop_button.instate(["disabled"]) and view.start_button.instate(["!disabled"])
    view.source.set(str(films / "nobody.mp4"))
    person.click(view.start_button)
    person.reads("Playing")
    assert view.stop_button.instate(["!disabled"]) and view.start_button.instate(["disabled"])


@pytest.mark.parametrize("name", ["IMG_1.MOV", "scan.tif", "talk.3gp", "CLIP.WEBM"])
def test_the_dialog_lists_whatever_can_be_read(person, monkeypatch, name):
    asked = {}
    monkeypatch.setattr(tk_app.filedialog, "askopenfilename", lambda **given: asked.update(given))
    person.app.open_file()
    patterns = asked["filetypes"][0][1].split()
    assert any(fnmatchcase(name, pattern) for pattern in patterns)


def test_a_file_can_be_chosen_from_a_dialog(person, films):
    def choose():
        window = wait_for(lambda: find_window(person.display, "Open"), "the dialog")
        xdotool(person.display, "windowfocus", "--sync", window)
        xdotool(person.display, "type", str(films / "astronaut.mp4"))
        xdotool(person.display, "key", "Return")

    chooser = threading.Thread(target=choose)
    chooser.start()
    person.click(person.view.open_button)
    person.reads("Playing astronaut.mp4")
    chooser.join()
    assert person.view.source.get() == str(films / "astronaut.mp4")


def test_the_space_bar_starts_and_stops(person, films):
    person.view.source.set(str(films / "nobody.mp4"))
    person.press("space")
    person.reads("Playing nobody.mp4")
    person.press("space")
    person.reads("Stopped")


def test_keys_typed_into_the_source_are_text_and_return_starts(person, films):
    app, view = person.app, person.view
    view.source.set("")
    person.click(view.chooser)
    person.wait_for(lambda: app.root.focus_get() is view.chooser, "the focus")
    person.press("q", "space", "Q")
    person.wait_for(lambda: view.source.get() == "q Q", "the text")
    view.source.set(str(films / "nobody.mp4"))
    person.press("Return")
    person.reads("Playing nobody.mp4")
    person.press("space")
    person.reads("Stopped")


def test_the_largest_face_is_the_one_that_is_told(person, films):
    person.view.source.set(str(films / "two.mp4"))
    person.click(person.view.start_button)
    person.wait_for(lambda: person.view.said.get(), "a face")
    newest = person.app.player.newest.detections
    assert len(newest) == 2
    largest = describe(newest)[newest.box_area.argmax()]
    person.wait_for(lambda: person.view.said.get().split()[0] == largest.split()[0], largest)


def test_without_a_face_it_says_so_and_shows_no_avatar(person, films):
    person.view.source.set(str(films / "nobody.mp4"))
    person.click(person.view.start_button)
    person.wait_for(lambda: person.view.said.get() == "no face", "'no face'")
    paper = sv.Color.from_hex(PAPER).as_bgr()
    area = person.view.avatar.winfo_width() * person.view.avatar.winfo_height()
    assert person.sees(paper, person.view.avatar) == area


def test_the_end_of_a_file_is_said_and_its_last_picture_stays(person, films):
    view = person.view
    view.source.set(str(films / "short.mp4"))
    person.click(view.start_button)
    person.reads("short.mp4 has ended")
    assert person.sees(HAPPY_YELLOW, view.picture) > 300
    assert view.start_button.instate(["!disabled"])
    person.click(view.start_button)
    person.reads("Playing short.mp4")


def test_a_camera_that_vanishes_is_said_and_shown_again_once_it_is_back(
    person, tmp_path, monkeypatch
):
    view = person.view
    camera = Camera(tmp_path / "camera.npy")
    astronaut = [cv2.resize(portrait("astronaut")[:384], (320, 240))]
    monkeypatch.setattr(cv2, "VideoCapture", camera)
    camera.plug_in(astronaut)
    person.click(view.start_button)
    person.wait_for(lambda: view.said.get().startswith("happy"), "a happy astronaut")

    camera.unplug()
    person.reads("Camera 0 gives no more pictures", "comes back by itself")
    assert view.said.get() == view.rate.get() == ""
    assert not person.sees(HAPPY_YELLOW, view.picture)
    assert not person.sees(HAPPY_YELLOW, view.avatar)

    camera.plug_in(astronaut)
    person.reads("Playing Camera 0")
    person.wait_for(lambda: view.said.get().startswith("happy"), "a happy astronaut again")

    camera.unplug()
    person.reads("gives no more pictures")
    person.click(view.stop_button)
    person.reads("Stopped")
    person.click(view.start_button)
    person.reads("There is no camera 0")
    camera.plug_in(astronaut)
    person.click(view.start_button)
    person.reads("Playing Camera 0")


def test_a_film_that_is_turned_round_in_the_middle_is_shown_to_its_end(person, tmp_path):
    view = person.view
    view.source.set(str(write_turned_film(tmp_path / "turned.ts")))
    person.click(view.start_button)
    person.reads("turned.ts has ended")
    room = view.picture.winfo_width(), view.picture.winfo_height()
    scale = min(room[0] / 240, room[1] / 320)
    photo = view.picture._photo
    assert (photo.width(), photo.height()) == (round(240 * scale), round(320 * scale))
    assert person.sees(HAPPY_YELLOW, view.picture) > 300, "a frame round the face"


@pytest.mark.parametrize("name", ["63", "missing.mp4", "text.mp4", "empty.mp4", "."])
def test_what_cannot_be_played_is_said_in_the_status_line(person, tmp_path, name):
    (tmp_path / "text.mp4").write_text("hello\n")
    (tmp_path / "empty.mp4").touch()
    person.view.source.set(name if name == "63" else str(tmp_path / name))
    person.click(person.view.start_button)
    person.wait_for(lambda: person.app.player is None and person.app.leaving, "the end")
    said = person.view.status.get()
    assert (name if name == "63" else Path(tmp_path / name).name) in said
    assert said.endswith(".") and "\n" not in said
    assert person.view.start_button.instate(["!disabled"])


def test_the_pictures_grow_with_the_window(person, films):
    app, view = person.app, person.view
    view.source.set(str(films / "short.mp4"))
    person.click(view.start_button)
    person.reads("has ended")
    smallest = app.root.minsize()
    for width, height in ((950, 760), smallest):
        app.root.geometry(f"{width}x{height}")
        person.wait_for(lambda width=width: app.root.winfo_width() == width, "the new size")
        person.wait_for(lambda width=width: 0.5 < view.picture.winfo_width() / width < 0.8, "it")
        room = view.picture.winfo_width(), view.picture.winfo_height()
        photo = view.picture._photo
        scale = min(room[0] / 320, room[1] / 240)
        assert (photo.width(), photo.height()) == (round(320 * scale), round(240 * scale))
        assert view.stop_button.winfo_rootx() + view.stop_button.winfo_width() <= width


@contextmanager
def stalling_server(film):
    """The address of a server that sends half a film and then stands still."""
    half = film.read_bytes()[: film.stat().st_size // 2]
    over = threading.Event()

    def serve(listener):
        connections = []
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connections.append(connection)
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\n\r\n" + half)
        for connection in connections:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/{film.name}"
        over.set()
        thread.join()


def test_the_window_stays_responsive_while_the_source_stands_still(person, films):
    app, view = person.app, person.view
    with stalling_server(films / "astronaut.mp4") as url:
        view.source.set(url)
        person.click(view.start_button)
        person.reads("Opening")
        slowest, end = 0.0, time.monotonic() + 1
        while time.monotonic() < end:
            begun = time.monotonic()
            app.root.update()
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.01)
        assert slowest < 3 and app.player.is_alive()  # a source is waited for for ten seconds
        person.click(view.stop_button)
        person.reads("Stopped")
        view.source.set(str(films / "short.mp4"))
        person.click(view.start_button)
        person.reads("Playing short.mp4")


@pytest.mark.parametrize("way", ["q", "Escape", "the close button"])
def test_it_closes_at_once_while_it_plays(person, films, way):
    person.view.source.set(str(films / "astronaut.mp4"))
    person.click(person.view.start_button)
    person.reads("Playing")
    player = person.app.player
    if way == "the close button":
        press_close_button(person.display, person.window)
    else:
        person.press(way)
    begun = time.monotonic()
    person.wait_for(lambda: not person.is_open(), "the window to close")
    player.join(PATIENCE_S)
    assert time.monotonic() - begun < 20, "it played to the film's end"


@pytest.fixture
def run(display):
    with ExitStack() as running:

        def start(*arguments, on=display, **environment):
            command = ("tk_app.py", *arguments)
            return running.enter_context(Program(on, TITLE, *command, **environment))

        yield start


def test_a_source_named_at_the_start_plays_at_once_and_q_exits_0(run, display, films, tmp_path):
    program = run("--source", films / "astronaut.mp4")

    def happy():
        screen = screenshot(display, tmp_path / "screen.bmp").astype(int)
        return (abs(screen - MOUTH_RED).max(axis=2) <= 4).sum() > 300

    program.wait_for(happy, "the happy avatar")
    program.press("q")
    assert program.end() == (0, [])


def test_it_ends_soon_even_if_the_source_stands_still(run, display, films):
    with stalling_server(films / "astronaut.mp4") as url:
        program = run("--source", url)
        press_close_button(display, program.window())
        begun = time.monotonic()
        assert program.end() == (0, [])
        assert time.monotonic() - begun < 9, "it waited for the source"


@pytest.mark.parametrize("way", ["control-c", "the close button"])
def test_it_ends_while_the_dialog_is_open(run, display, way):
    program = run()
    window = program.window()
    program.press("Tab", "Tab", "space")  # to the button, and press it
    program.wait_for(lambda: find_window(display, "Open"), "the dialog")
    if way == "control-c":
        program.process.send_signal(signal.SIGINT)
    else:
        press_close_button(display, window)
    assert program.end() == (130 if way == "control-c" else 0, [])


def test_control_c_exits_130(run, films):
    program = run("--source", films / "nobody.mp4")
    program.window()
    program.process.send_signal(signal.SIGINT)
    assert program.end() == (130, [])


@pytest.mark.parametrize("name", ["", ":63999", "nonsense"])
def test_without_a_display_there_is_one_line(run, name):
    status, said = run(on=name).end()
    assert (status, len(said)) == (1, 1)
    assert "display" in said[0]


def test_without_tk_there_is_one_line(run, tmp_path):
    (tmp_path / "tkinter.py").write_text("raise ImportError('libtk8.6.so: no such file')")
    status, said = run(PYTHONPATH=str(tmp_path)).end()
    assert (status, len(said)) == (1, 1)
    assert "install" in said[0] and "Tk" in said[0]


def test_a_broken_model_is_said_in_one_line(run, tmp_path):
    (tmp_path / "fer.tflite").write_bytes(b"no model")
    status, said = run("--model", tmp_path).end()
    assert (status, len(said)) == (1, 1)
    assert "card.json" in said[0]
