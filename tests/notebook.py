"""Runs the notebook in a fresh kernel; as a program, keeps the outputs of a run on drawn faces."""

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "facial_expression_recognition.ipynb"
PATIENCE_S = 600  # for one cell


def run_notebook(folder: Path, extra_code: str = "", **environment: str) -> nbformat.NotebookNode:
    """Execute the notebook from its first cell to its last.

    Args:
        folder: Where the kernel works, and where the notebook writes.
        extra_code: A cell to execute after the last.
        **environment: Variables for the kernel.

    Returns:
        The notebook with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    if extra_code:
        notebook.cells.append(nbformat.v4.new_code_cell(extra_code))
    client = NotebookClient(
        notebook,
        timeout=PATIENCE_S,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
        record_timing=False,
        coalesce_streams=True,
        # The log of TensorFlow goes to the terminal, not into the notebook.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
    )
    variables = {"PYTHONPATH": str(ROOT), "FER_DATA": "none"} | environment
    with patch.dict(os.environ, variables):
        return asyncio.run(client.async_execute())  # `execute` closes no loop


def main() -> None:
    """Keep the outputs of a run on drawn faces, and nothing that says where or when it was."""
    with TemporaryDirectory() as folder:
        notebook = run_notebook(Path(folder))
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, NOTEBOOK)
    print(f"Wrote the outputs into {NOTEBOOK}.")


if __name__ == "__main__":
    main()
