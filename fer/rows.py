"""What was read, as rows of a table: the schema, and the files that take it."""

import csv
import errno
import io
import json
import os
from collections.abc import Collection, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import supervision as sv

from fer.errors import OutputError, SourceError
from fer.expressions import EXPRESSION_NAMES
from fer.files import OutputFile, reason
from fer.sources import public_name

COLUMNS: dict[str, type] = {
    "source": str,
    "frame": int,
    "time_s": float,
    "face": int,
    "x1": float,
    "y1": float,
    "x2": float,
    "y2": float,
    "expression": str,
    "confidence": float,
    "state": str,
    **dict.fromkeys(EXPRESSION_NAMES, float),
}
"""The columns of every row, in their order, with the types of their values.

- ``source``: the file, camera or URL as it was named, but for what may be secret in a URL,
  as `fer.sources.public_name` takes it out.
- ``frame``: number of the frame, from 0; where a window shows "No picture" of a lost
  camera, those pictures count too, and have no row. ``time_s``: its time in seconds since
  the beginning, by the clock of the stream. Both are 0 for a photograph.
- ``face``: in a video the id that a face keeps while it is in view (−1 at
  first sight); in a photograph its number, from 0.
- ``x1``, ``y1``, ``x2``, ``y2``: the box round it, in pixels of the upright frame.
- ``expression``: the one that is shown; ``confidence``: its probability, which
  is also in the last seven columns, one for each of `fer.EXPRESSIONS`. In a
  video it stays until another one has won for a moment, so that for that moment
  it is not the likeliest.
- ``state``: whether the label can be relied on, a `fer.FaceState`.

A frame without a face is one row whose columns from ``face`` on are empty; a
frame that was not read has no row.
"""

SUFFIXES = (".csv", ".jsonl", ".parquet")
"""How the name of a file of rows may end, which says what it is."""

Row = dict[str, Any]

_BLOCK_BYTES = 1 << 24  # of JSON: about 50,000 rows, in memory at once for Parquet


def make_rows(
    detections: sv.Detections, source: str | Path, frame: int = 0, time_s: float = 0.0
) -> list[Row]:
    """Put a result into rows.

    Args:
        detections: What `fer.ExpressionPipeline` returned.
        source: What the frame belongs to.
        frame: Its number, from 0.
        time_s: Its time in seconds.

    Returns:
        A row for each face, or one without a face.
    """
    common = {"source": as_text(source), "frame": frame, "time_s": round(time_s, 6)}
    if not len(detections):
        return [dict.fromkeys(COLUMNS) | common]
    ids = range(len(detections)) if detections.tracker_id is None else detections.tracker_id
    rows = []
    for row, face in enumerate(ids):
        x1, y1, x2, y2 = (round(float(value), 1) for value in detections.xyxy[row])
        scores = [round(float(score), 4) for score in detections.data["scores"][row]]
        found = {"face": int(face), "x1": x1, "y1": y1, "x2": x2, "y2": y2}
        name = str(detections.data["class_name"][row])
        read = {
            "expression": name,
            "confidence": scores[EXPRESSION_NAMES.index(name)],
            "state": str(detections.data["state"][row]),
        }
        rows.append(common | found | read | dict(zip(EXPRESSION_NAMES, scores, strict=True)))
    return rows


def as_text(source: str | Path) -> str:
    """What ``source`` says of a file, whose name need not be UTF-8, or a URL, as `public_name`."""
    return public_name(str(source)).encode(errors="replace").decode()


class RowFile(OutputFile):
    """A file of rows, each of which is on the disk as soon as it is written.

    Made by `open_rows`, as CSV, JSON lines or Parquet.

    Args:
        path: Where it is to be.
        columns: Names of the columns in their order.

    Raises:
        OutputError: It cannot be written there.
    """

    _partial_suffix = ""

    def __init__(self, path: Path, columns: Collection[str] = tuple(COLUMNS)) -> None:
        super().__init__(path, SUFFIXES, self._partial_suffix)
        self._columns = columns
        self._file = open(self._partial, "wb", buffering=0)
        self._written = 0

    def write(self, rows: Iterable[Row]) -> None:
        """Add rows.

        Args:
            rows: Values by the names of the columns, as `make_rows` makes them.

        Raises:
            OutputError: There is no room for them; those before are kept.
        """
        text = self._encode(rows).encode()
        try:
            # Where the disk is full only a part is taken, and no error raised.
            if self._file.write(text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._file.truncate(self._written)
            raise self._stopped(error) from error
        self._written += len(text)

    def _encode(self, rows: Iterable[Row]) -> str:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def _finish(self) -> bool:
        self._file.close()
        return self._written > 0


class _CsvFile(RowFile):
    def _encode(self, rows: Iterable[Row]) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        if not self._written:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


class _ParquetFile(RowFile):
    """Rows wait as JSON lines: a Parquet file cannot be read before its end is written.

    So they outlive a full disk and a killed process, and memory stays flat.
    """

    _partial_suffix = ".jsonl"

    def __init__(self, path: Path, columns: Collection[str] = tuple(COLUMNS)) -> None:
        if not find_spec("pyarrow"):
            raise OutputError(
                f"{path} needs pyarrow: pip install pyarrow, or choose a name in .csv or .jsonl."
            )
        super().__init__(path, columns)

    def _finish(self) -> bool:
        if not super()._finish() or self._discarded:
            return False
        lines, self._partial = self._partial, self._partial.with_suffix(".parquet")
        try:
            _convert(lines, self._partial)
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            raise OutputError(
                f"{self.path} could not be written: {reason(error)}; its rows are in {lines}."
            ) from error
        lines.unlink()
        return True


def open_rows(path: Path, columns: Collection[str] = tuple(COLUMNS)) -> RowFile:
    """Begin a file of rows.

    Args:
        path: Where it is to be; the suffix says in which of the `SUFFIXES`' formats.
        columns: Names of the columns, for CSV.

    Raises:
        OutputError: It cannot be written there, or Parquet's library is missing.
    """
    formats = {".csv": _CsvFile, ".parquet": _ParquetFile}
    return formats.get(path.suffix.lower(), RowFile)(path, columns)


def read_rows(path: Path) -> Iterator[Row]:
    """Read a file of rows; what comes from CSV is text.

    Args:
        path: A file in one of the `SUFFIXES`' formats.

    Yields:
        Its rows, one at a time.

    Raises:
        SourceError: It cannot be read, is damaged or something else.
    """
    try:
        for row in _read_any(path):
            if not isinstance(row, dict) or None in row:
                raise ValueError("a row is no such row")
            yield row
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise SourceError(f"{path} cannot be read as a file of rows: {why}.") from error


def _read_any(path: Path) -> Iterator[Any]:
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
        return
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file) if path.suffix.lower() == ".csv" else map(json.loads, file)


def _convert(lines: Path, parquet: Path) -> None:
    """Write JSON lines as Parquet, a block at a time."""
    import pyarrow as pa
    import pyarrow.json  # type: ignore[import-untyped]
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    blocks = pyarrow.json.open_json(
        lines,
        read_options=pyarrow.json.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
    )
    with pq.ParquetWriter(parquet, schema) as file:
        for block in blocks:
            file.write_batch(block)
