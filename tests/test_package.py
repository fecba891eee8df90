"""What `import fer` gives, and what it costs."""

import subprocess
import sys

import fer

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
