"""What `import fer` gives, what it costs, and what is installed for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fer

ROOT = Path(__file__).resolve().parent.parent
PINS = ("requirements.txt", "requirements-dev.txt")
HEAVY = ("tensorflow", "keras", "streamlit", "streamlit_webrtc", "flask", "tkinter", "matplotlib")


def test_import_loads_no_framework_and_no_front_end():
    code = f"import sys, fer; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_public_face_is_what_is_promised():
    assert all(hasattr(fer, name) for name in fer.__all__)
    public = {name for name, value in vars(fer).items() if not name.startswith("_")}
    modules = {name for name, value in vars(fer).items() if type(value) is type(sys)}
    assert public - modules == set(fer.__all__)


def test_the_order_of_the_classes_is_that_of_the_competition():
    names = [expression.name for expression in fer.EXPRESSIONS]
    assert names == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


@pytest.mark.parametrize("name", PINS)
def test_every_package_is_pinned_with_its_hashes(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    packages = re.findall(r"^[^# \n].*", text, re.MULTILINE)
    pinned = re.findall(r"^[\w.-]+==.+ \\\n    --hash=sha256:\w{64}", text, re.MULTILINE)
    assert packages
    assert len(pinned) == len(packages)


@pytest.mark.parametrize("name", PINS)
def test_the_pins_say_nothing_of_where_packages_come_from(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


def test_the_app_and_the_tests_run_with_the_same_packages():
    app, development = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in PINS
    )
    assert app <= development
