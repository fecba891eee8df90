"""Files: how they are found in folders, and how those written take their names when done."""

import errno
import os
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from fer.closable import Closable
from fer.errors import OutputError, SourceError


class OutputFile(Closable):
    """A file in the making, beside its target: ``talk.partial.mp4`` for ``talk.mp4``.

    As a context manager it is closed however the block ends, so that Ctrl-C
    and errors leave what was written until then, under its name. A file to
    which nothing was written vanishes.

    Args:
        path: Where it is to be; a file of that name is replaced at the end.
        suffixes: How its name may end.
        partial_suffix: How its name ends in the making, if otherwise.

    Raises:
        OutputError: It cannot be written there.
    """

    def __init__(self, path: Path, suffixes: Collection[str], partial_suffix: str = "") -> None:
        self.path = path
        check_suffix(path, suffixes)
        self._partial = path.with_name(f"{path.stem}.partial{partial_suffix or path.suffix}")
        self._closed = self._failed = self._discarded = False
        try:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._partial.write_bytes(b"")  # to say now, not at the end, what hinders
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written: {reason(error)}; "
                "expected a name in a folder that exists and may be written to."
            ) from error

    @abstractmethod
    def _finish(self) -> bool:
        """Write what is left and let go of the partial file.

        Returns:
            False if it holds nothing.

        Raises:
            OSError: There is no room for the rest; the file can be read without.
        """

    def close(self) -> None:
        """Finish the file and give it its name; a second time does nothing.

        Raises:
            OutputError: There is no room for what is left to write.
        """
        if self._closed:
            return
        self._closed = True
        try:
            try:
                holds_something = self._finish()
            except OSError:
                self._take_name(holds_something=True)
                if not self._failed:  # else the first failure is being told already
                    raise
            else:
                self._take_name(holds_something)
        except OSError as error:
            raise self._stopped(error) from error

    def discard(self) -> None:
        """Let go of the file and leave nothing behind."""
        self._closed = self._discarded = True
        try:
            self._finish()
        except OSError:
            self._failed = True
        self._partial.unlink(missing_ok=True)

    def _take_name(self, holds_something: bool) -> None:
        if holds_something:
            os.replace(self._partial, self.path)
        else:
            self._partial.unlink(missing_ok=True)

    def _stopped(self, error: OSError) -> OutputError:
        """What to raise when writing fails."""
        self._failed = True
        return OutputError(
            f"{self.path} could be written only in part: {reason(error)}; "
            "what was written until then is kept."
        )


AnyOutput = TypeVar("AnyOutput", bound=OutputFile)


@contextmanager
def whole(file: AnyOutput) -> Iterator[AnyOutput]:
    """Keep a file only if the block comes to its end."""
    try:
        yield file
    except BaseException:
        file.discard()
        raise
    file.close()


def find_files(
    paths: Iterable[Path], suffixes: Collection[str], but_not_in: Path | None = None
) -> dict[Path, Path]:
    """Find the files in folders, and in theirs; hidden ones are passed over.

    Args:
        paths: Folders, and files, which are taken whatever their names.
        suffixes: How the names in folders end.
        but_not_in: A folder to leave out: what was written earlier.

    Returns:
        The files in order, each with its path from the folder where the search began.

    Raises:
        SourceError: A folder holds none.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = Path(path.name)
            continue
        left_out = but_not_in.resolve() if but_not_in else None
        if left_out and path.resolve() not in left_out.parents:
            left_out = None  # what lies around the search is not what it may leave out
        inside = {
            file: file.relative_to(path)
            for file in sorted(path.rglob("*"))
            if file.suffix.lower() in suffixes
            and not (left_out and left_out in file.resolve().parents)
            and file.is_file()
        }
        inside = {file: name for file, name in inside.items() if not _is_hidden(name)}
        if not inside:
            raise SourceError(f"{path} holds no files to read; expected {', '.join(suffixes)}.")
        found |= inside
    return found


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def check_file(path: Path, expected: str, name: str = "") -> None:
    """Check that what is to be read is a file.

    Args:
        path: Where it is to be.
        expected: What it should be, for the error.
        name: What the error calls it; by default the path.

    Raises:
        SourceError: It is none, or may not be looked at.
    """
    try:
        if path.is_file():
            return
        what = "is a folder" if path.is_dir() else "is a pipe or a device"
        what = what if path.exists() else "does not exist"
    except OSError as error:
        what = f"cannot be read: {reason(error)}"
    raise SourceError(f"{name or path} {what}; expected {expected}.")


def check_suffix(path: Path, suffixes: Collection[str]) -> None:
    """Check how the name of an output ends.

    Raises:
        OutputError: Otherwise than with one of the suffixes.
    """
    if path.suffix.lower() not in suffixes:
        expected = " or ".join(suffixes)
        raise OutputError(f"{path} cannot be written: expected a name that ends in {expected}.")


def refuse_inputs(outputs: Iterable[Path | None], inputs: Iterable[str | Path]) -> None:
    """Check that no output would overwrite what is to be read.

    Raises:
        OutputError: One would.
    """
    read = {os.path.realpath(path) for path in inputs}
    for path in outputs:
        if path and os.path.realpath(path) in read:
            raise OutputError(f"{path} is to be read: choose another name to write to.")


def refuse_leftovers(outputs: Iterable[Path | None]) -> None:
    """Check that no output would overwrite what a run that was killed has left.

    Raises:
        OutputError: One would.
    """
    for path in filter(None, outputs):
        suffixes = (path.suffix, ".jsonl") if path.suffix.lower() == ".parquet" else (path.suffix,)
        for suffix in suffixes:
            left = f"{os.path.splitext(path)[0]}.partial{suffix}"
            if os.path.isfile(left) and os.path.getsize(left):
                raise OutputError(
                    f"{left} holds what a run that was killed, or still runs, has written of "
                    f"{path.name}; rename it to keep it, or delete it, and start again."
                )


def reason(error: OSError) -> str:
    """Why the system refused, in its own words."""
    return str(error.strerror or error).splitlines()[0].lower()
