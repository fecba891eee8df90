"""The notebook runs from top to bottom, and what the committed file shows is fit to be shown."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from tests.notebook import NOTEBOOK, ROOT, run_notebook

FACTS = """
import json
print(json.dumps({
    "source": source,
    "training": len(training),
    "losses": history.history["loss"],
    "difference": max(difference.values()),
    "accuracy": float(accuracy),
    "without_looking": float(without_looking),
    "shown": {name: str(result.data["class_name"][0]) for name, result in results.items()},
    "restored": float(np.abs(again - scores).max()),
    "classes": json.loads((folder / "model.json").read_text())["config"]["name"],
}))
"""
SIZE_LIMIT = 1_500_000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A quick run on drawn faces: the notebook, where it ran, and what it found."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = run_notebook(folder, FACTS, FER_QUICK="1")
    facts = json.loads(notebook.cells.pop().outputs[0].text)
    return notebook, folder, facts


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(notebook):
    for output in outputs(notebook):
        yield output.text if output.output_type == "stream" else output.data["text/plain"]


@pytest.mark.slow
def test_every_cell_runs_and_none_complains(run):
    notebook, _, _ = run
    kinds = {output.get("name", output.output_type) for output in outputs(notebook)}
    assert kinds <= {"stdout", "display_data", "execute_result"}


@pytest.mark.slow
def test_without_the_data_set_it_says_so_and_draws_faces(run):
    notebook, _, facts = run
    assert any("There is no FER-2013 at none: drawn faces" in text for text in texts(notebook))
    assert facts["source"] == "drawn faces"
    assert facts["training"] == 1201


@pytest.mark.slow
def test_convolution_by_hand_agrees_with_opencv_and_keras(run):
    assert run[2]["difference"] < 0.01


@pytest.mark.slow
def test_the_small_network_learns(run):
    facts = run[2]
    assert facts["losses"][-1] < 0.9 * facts["losses"][0]
    assert facts["accuracy"] > facts["without_looking"] + 0.1


@pytest.mark.slow
def test_the_photographs_are_read_by_the_network_of_the_apps(run):
    assert run[2]["shown"]["astronaut"] == "happy"


@pytest.mark.slow
def test_the_saved_network_gives_the_same_answers(run):
    _, folder, facts = run
    saved = {path.name for path in (folder / "small_cnn").iterdir()}
    assert saved == {"model.json", "model.weights.h5", "fer.keras"}
    assert facts["restored"] < 1e-6
    assert facts["classes"] == "sequential_cnn"


def test_the_committed_file_holds_a_whole_run_in_order(committed):
    cells = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum("image/png" in output.get("data", {}) for output in outputs(committed)) >= 10


def test_the_committed_outputs_come_from_drawn_faces(committed):
    said = "\n".join(texts(committed))
    assert "There is no FER-2013 at none: drawn faces take its place." in said
    assert "FER-2013: " not in said


def test_the_committed_file_is_small_and_tells_nothing_of_the_machine(committed):
    assert NOTEBOOK.stat().st_size < SIZE_LIMIT
    assert all(output.get("name") != "stderr" for output in outputs(committed))
    assert all("execution" not in cell.metadata for cell in committed.cells)
    said = "\n".join(texts(committed))
    assert not re.search(r"/(home|root|tmp|work|usr|Users)/|[A-Z]:\\\\", said)


def begin(committed, folder):
    """Run the cell that finds the project, as a kernel would in a folder."""
    cell = next(cell for cell in committed.cells if cell.cell_type == "code")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", cell.source + "\nimport fer.pipeline; print(fer.pipeline.__file__)"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_the_first_cell_finds_the_project_around_the_notebook(committed):
    done = begin(committed, NOTEBOOK.parent)
    assert done.stdout.strip() == str(ROOT / "fer" / "pipeline.py"), done.stderr


def test_the_first_cell_says_what_to_do_where_there_is_no_project(committed, tmp_path):
    done = begin(committed, tmp_path)
    if done.returncode == 0:
        pytest.skip("the package is installed, and found everywhere")
    assert done.stderr.splitlines()[-1] == (
        "FileNotFoundError: Set REPOSITORY above: the project is not around."
    )
