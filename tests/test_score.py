"""`fer score`: whole folders, and what is left when a run is broken off."""

import os
import signal
import subprocess
import sys

import cv2
import pytest

from fer import score_worker, scoring
from fer.rows import read_rows
from tests import command_line
from tests.command_line import end, start, wait_for
from tests.disks import small_files
from tests.films import even_times, write_film, write_long_film
from tests.synthetic import portrait

fer = command_line.fer

FPS = 10
SECONDS = 2
SUFFIXES = ["csv", "jsonl", "parquet"]


@pytest.fixture
def folder(tmp_path):
    """Two photographs and a video, each in a folder of its own, and a file that is neither."""
    root = tmp_path / "in"
    (root / "a" / "b").mkdir(parents=True)
    cv2.imwrite(str(root / "astronaut.jpg"), portrait("astronaut"))
    cv2.imwrite(str(root / "a" / "hopper.png"), portrait("hopper"))
    write_film(root / "a" / "b" / "film.mp4", even_times(SECONDS, FPS))
    (root / "notes.txt").write_text("neither\n")
    return root


def sources(rows):
    return sorted({os.path.basename(row["source"]) for row in read_rows(rows)})


def errors(rows):
    path = rows.with_name(f"{rows.stem}.errors.csv")
    return {os.path.basename(row["source"]): row["error"] for row in read_rows(path)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_folders_of_photographs_and_videos_become_rows(fer, folder, tmp_path, suffix):
    rows = tmp_path / f"rows.{suffix}"
    done = fer("score", folder, "--rows", rows, "--workers", 2)
    assert (done.code, done.err) == (0, "")
    assert sources(rows) == ["astronaut.jpg", "film.mp4", "hopper.png"]
    read = list(read_rows(rows))
    assert len(read) == 2 + SECONDS * FPS
    shown = [row["expression"] for row in read if "film" not in row["source"]]
    assert shown == ["neutral", "happy"]
    film = [row for row in read if "film" in row["source"]]
    assert [int(row["frame"]) for row in film] == list(range(SECONDS * FPS))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", rows.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_run_again_it_skips_what_is_done_and_retries_what_failed(fer, folder, tmp_path, suffix):
    rows = tmp_path / f"rows.{suffix}"
    (folder / "bad.jpg").write_text("no picture\n")
    (folder / "bad.mp4").write_bytes(b"")
    done = fer("score", folder, "--rows", rows, "--workers", 1)
    assert done.is_one_sentence("2 files", "errors.csv")
    assert "3 files read into" in done.out
    assert set(errors(rows)) == {"bad.jpg", "bad.mp4"}
    assert "is no picture" in errors(rows)["bad.jpg"]
    before = list(read_rows(rows))

    cv2.imwrite(str(folder / "bad.jpg"), portrait("hopper"))
    done = fer("score", folder, "--rows", rows, "--workers", 1)
    assert "1 file read into" in done.out and "3 had been" in done.out
    assert set(errors(rows)) == {"bad.mp4"}
    after = list(read_rows(rows))
    assert after[: len(before)] == before
    assert [row["expression"] for row in after[len(before) :]] == ["neutral"]

    (folder / "bad.mp4").unlink()
    done = fer("score", folder, "--rows", rows)
    assert (done.code, list(read_rows(rows))) == (0, after)
    assert "0 files read" in done.out and "4 had been" in done.out
    assert not rows.with_name("rows.errors.csv").exists()


def test_a_path_that_is_not_there_is_said_before_anything_is_read(fer, folder, tmp_path):
    done = fer("score", folder, tmp_path / "gone", "--rows", tmp_path / "rows.csv")
    assert done.is_one_sentence("gone does not exist", "expected files and folders")
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name]


def test_somebody_elses_errors_are_not_replaced(fer, folder, tmp_path):
    (tmp_path / "rows.errors.csv").write_text("when,what\n")
    done = fer("score", folder, "--rows", tmp_path / "rows.csv", "--workers", 1)
    assert done.is_one_sentence("rows.errors.csv is of another kind", "move it away")
    assert (tmp_path / "rows.errors.csv").read_text() == "when,what\n"


def test_two_files_of_rows_in_one_folder_keep_what_each_tells(fer, folder, tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    write_cut_film(folder / "cut.mkv")
    done = fer("score", folder / "cut.mkv", "--rows", first, "--workers", 1)
    assert done.is_one_sentence("1 file could not be read, or only in part", "first.errors.csv")
    assert fer("score", folder / "a" / "hopper.png", "--rows", second, "--workers", 1).code == 0
    done = fer("score", folder / "cut.mkv", "--rows", first, "--workers", 1)
    assert done.is_one_sentence("1 file could not be read, or only in part", "first.errors.csv")
    assert "only in part" in errors(first)["cut.mkv"]
    assert not (tmp_path / "second.errors.csv").exists()


def test_what_can_be_read_of_truncated_videos_is_kept_and_not_tried_again(fer, folder, tmp_path):
    rows = tmp_path / "rows.csv"
    for name in ("cut.mp4", "cut.MKV"):  # without its end an MP4 says nothing of its frames
        write_cut_film(folder / name)
    done = fer("score", folder, "--rows", rows, "--workers", 1)
    assert done.is_one_sentence("2 files could not be read, or only in part", "errors.csv")
    assert set(errors(rows)) == {"cut.mp4", "cut.MKV"}
    assert "only in part" in errors(rows)["cut.MKV"]
    assert sources(rows) == ["astronaut.jpg", "cut.MKV", "film.mp4", "hopper.png"]
    assert "4 files read" in done.out
    done = fer("score", folder, "--rows", rows, "--workers", 1)
    assert "4 had been" in done.out and set(errors(rows)) == {"cut.mp4", "cut.MKV"}
    assert "only in part" in errors(rows)["cut.MKV"], "that its rows end early is not forgotten"


def write_cut_film(path):
    """Write the first half of a film."""
    film = write_film(
        path.with_name("whole").with_suffix(path.suffix.lower()), even_times(4, FPS), "libopus"
    )
    whole = film.read_bytes()
    film.unlink()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_film_read_in_part_is_still_told_after_a_run_that_was_broken_off(
    folder, tmp_path, number
):
    write_cut_film(folder / "cut.mkv")
    write_long_film(folder / "z.mp4", seconds=590, fps=30)
    rows = tmp_path / "rows.csv"
    process = start("score", folder, "--rows", rows, "--workers", 1)
    wait_for(lambda: len(whole_parts(tmp_path / "rows.csv.parts")) == 4, "all but the last")
    process.send_signal(number)
    end(process)
    (folder / "z.mp4").unlink()
    for _ in range(2):
        again = end(start("score", folder, "--rows", rows, "--workers", 1))
        assert again.is_one_sentence("1 file could not be read, or only in part", "errors.csv")
        assert "0 files read" in again.out and "4 had been" in again.out
        assert "only in part" in errors(rows)["cut.mkv"]
    assert sources(rows) == ["astronaut.jpg", "cut.mkv", "film.mp4", "hopper.png"]


def test_a_run_killed_before_it_tidied_up_forgets_nothing(fer, folder, tmp_path, monkeypatch):
    write_cut_film(folder / "cut.mkv")
    rows = tmp_path / "rows.csv"
    with monkeypatch.context() as patch:
        patch.setattr(scoring.shutil, "rmtree", lambda _: sys.exit(137))
        assert fer("score", folder, "--rows", rows, "--workers", 1).code == 137
    read = list(read_rows(rows))
    done = fer("score", folder, "--rows", rows, "--workers", 1)
    assert done.is_one_sentence("1 file") and "4 had been" in done.out
    assert "only in part" in errors(rows)["cut.mkv"]
    assert list(read_rows(rows)) == read


@pytest.mark.parametrize("kept", [0, 1000])
def test_parts_that_a_power_cut_left_empty_or_cut_off_are_read_anew(fer, folder, tmp_path, kept):
    rows, parts = tmp_path / "rows.csv", tmp_path / "rows.csv.parts"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring.ScoreRun, "merge", lambda *_: sys.exit(137))
        assert fer("score", folder, "--rows", rows, "--workers", 1).code == 137
    film = max(parts.iterdir(), key=lambda part: part.stat().st_size)
    os.truncate(film, kept)
    done = fer("score", folder, "--rows", rows, "--workers", 1)
    assert (done.code, done.err) == (0, "")
    assert "1 file read" in done.out and "2 had been" in done.out
    assert len(list(read_rows(rows))) == 2 + SECONDS * FPS


@pytest.mark.parametrize("suffix", ["csv", "PARQUET"])
def test_what_a_killed_video_run_has_left_is_not_written_over(fer, folder, tmp_path, suffix):
    left = tmp_path / f"rows.partial.{'jsonl' if suffix == 'PARQUET' else suffix}"
    left.write_text("rows of a film\n")
    done = fer("score", folder, "--rows", tmp_path / f"rows.{suffix}", "--workers", 1)
    assert done.is_one_sentence(left.name, "rename it to keep it")
    assert left.read_text() == "rows of a film\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", left.name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_broken_off_loses_only_the_files_in_work(folder, tmp_path, number):
    write_long_film(folder / "z.mp4", seconds=590, fps=30)
    rows, parts = tmp_path / "rows.parquet", tmp_path / "rows.parquet.parts"
    process = start("score", folder, "--rows", rows, "--workers", 1)
    wait_for(lambda: len(whole_parts(parts)) == 3, "all but the last")
    process.send_signal(number)
    done = end(process)
    if number == signal.SIGKILL:
        assert not rows.exists()
    else:
        assert (done.code, done.err) == (130, "")
        assert sources(rows) == ["astronaut.jpg", "film.mp4", "hopper.png"]
        assert not parts.exists()
    (folder / "z.mp4").unlink()
    again = end(start("score", folder, "--rows", rows, "--workers", 1))
    assert "0 files read" in again.out and "3 had been" in again.out
    assert len(list(read_rows(rows))) == 2 + SECONDS * FPS
    assert not parts.exists()


def test_a_terminal_that_sends_control_c_twice_to_all_processes_hears_one_sentence(
    folder, tmp_path
):
    """While they still load what they need, and while a film is read that lasts long."""
    write_long_film(folder / "z.mp4", seconds=590, fps=30)
    rows = tmp_path / "rows.csv"
    process = start("score", folder, "--rows", rows, "--workers", 2, session=True)
    wait_for(lambda: len(children(process.pid)) >= 3, "two workers and who tidies up after them")
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    os.killpg(process.pid, signal.SIGINT)
    done = end(process)
    assert (done.code, done.err) == (130, "")
    assert "read into" in done.out
    assert not rows.with_name("rows.csv.parts").exists()


def whole_parts(parts):
    return [path for path in parts.glob("*.jsonl") if "partial" not in path.name]


def test_workers_do_not_outlive_a_parent_that_was_killed(folder, tmp_path):
    write_long_film(folder / "z.mp4", seconds=590, fps=30)
    process = start("score", folder, "--rows", tmp_path / "rows.csv", "--workers", 2)
    wait_for(lambda: list(tmp_path.glob("rows.csv.parts/*")), "parts")
    workers = children(process.pid)
    assert len(workers) >= 2
    process.kill()
    end(process)
    wait_for(lambda: not any(alive(worker) for worker in workers), "the workers' end")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def crash(file, *_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_file_that_kills_its_reader_is_a_failure_and_not_the_end(folder, tmp_path):
    rows, told = tmp_path / "rows.csv", tmp_path / "rows.errors.csv"
    run = scoring.ScoreRun(rows, told, score_worker.Settings())
    files = [folder / "astronaut.jpg", folder / "killer.jpg", folder / "a" / "hopper.png"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "start_worker", start_mortal_worker)
        results = dict(run.read(files, workers=2))
    assert results == {
        files[0]: None,
        files[1]: f"{files[1]} crashes its reader.",
        files[2]: None,
    }
    assert run.merge({files[1]: results[files[1]]}) == 1
    assert sources(rows) == ["astronaut.jpg", "hopper.png"]
    assert errors(rows) == {"killer.jpg": results[files[1]]}


def start_mortal_worker(settings, stop):
    """As in earnest, but for a picture whose reading kills the process."""
    score_worker.start_worker(settings, stop)
    read = score_worker.read_picture
    score_worker.read_picture = lambda path: (crash if path.name == "killer.jpg" else read)(path)


def test_a_full_disk_keeps_what_was_read_for_the_next_run(fer, folder, tmp_path):
    rows = tmp_path / "out" / "rows.csv"
    rows.parent.mkdir()
    with small_files(2):
        done = fer("score", folder, "--rows", rows, "--workers", 1)
    assert done.is_one_sentence("rows.csv", "run the same command again"), done.err
    assert not rows.exists()
    kept = [path for path in rows.parent.glob("rows.csv.parts/*.jsonl")]
    assert kept and all(list(read_rows(path)) for path in kept)


def test_what_cannot_be_begun_is_said_in_one_sentence(fer, folder, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    for where, words in [
        (tmp_path / "file" / "rows.csv", "not a directory"),
        (tmp_path / "no" / "rows.csv", "no such file or directory"),
        (tmp_path / "rows.txt", "ends in"),
        (tmp_path / "other.csv", "choose another name"),
    ]:
        done = fer("score", folder, "--rows", where)
        assert done.is_one_sentence(where.name, words), done.err
    done = fer("score", tmp_path / "empty", "--rows", tmp_path / "rows.csv")
    assert done.is_one_sentence("holds no")
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2\n"
    left = {"file", "other.csv", "empty", "in"}
    assert {path.name for path in tmp_path.iterdir()} == left
