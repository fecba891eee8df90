import csv
import gzip
import io
import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer.errors import DatasetError
from fer.expressions import EXPRESSION_NAMES
from fer.training.datasets import FaceDataset, load_dataset
from tests.training_data import draw_face, make_rows, write_csv, write_folders

ROWS = make_rows()


def assert_holds_rows(dataset: FaceDataset) -> None:
    assert np.array_equal(dataset.faces, np.stack([face for _, face, _ in ROWS]))
    assert dataset.labels.tolist() == [label for label, _, _ in ROWS]
    assert dataset.usage.tolist() == [usage for _, _, usage in ROWS]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "fer2013.csv", ROWS)


def damage(table: Path, row: int, column: int, value: str) -> None:
    """Exchange one cell; row 1 is the first under the header."""
    with open(table, newline="") as file:
        cells = list(csv.reader(file))
    cells[row][column] = value
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows(cells)


def write_votes(table: Path, rows: int, no_face: int) -> Path:
    votes = table.with_name("fer2013new.csv")
    with open(votes, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *EXPRESSION_NAMES, "contempt", "unknown", "NF"])
        for number in range(rows):
            name = "" if number == no_face else f"fer{number:07}.png"
            writer.writerow(["Training", name, number % 10, *[0] * 8, 10 - number % 10])
    return votes


def test_csv_gives_faces_labels_and_usage(table: Path) -> None:
    assert_holds_rows(load_dataset(table))


def test_gz_gives_the_same_as_the_csv(table: Path) -> None:
    packed = table.with_name("fer2013.csv.gz")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    assert_holds_rows(load_dataset(packed))


@pytest.mark.parametrize("member", ["fer2013.csv", "fer2013/fer2013.csv"])
def test_zip_gives_the_same_as_the_csv(table: Path, member: str) -> None:
    packed = table.with_name("archive.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(table, member)
    assert_holds_rows(load_dataset(packed))


def test_zip_without_the_csv_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(DatasetError, match=r"other\.zip holds no fer2013\.csv"):
        load_dataset(tmp_path / "other.zip")


def pack(table: Path, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.write(table, "fer2013.csv")
    return bytearray(packed.getvalue())


@pytest.mark.parametrize("method", [None, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_damaged_archive_is_named(table: Path, method: int | None) -> None:
    packed = table.with_name("fer2013.csv.zip" if method else "fer2013.csv.gz")
    data = pack(table, method) if method else bytearray(gzip.compress(table.read_bytes()))
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    packed.write_bytes(data)
    with pytest.raises(DatasetError, match=packed.name):
        load_dataset(packed)


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (6, 1, "password required"),  # the flags
        (8, 9, "compression method"),  # Deflate64
        (4, 99, "zip file version 9.9"),  # needed to unpack it
    ],
)
def test_zip_that_python_cannot_unpack_says_what_to_do(
    table: Path, place: int, value: int, complaint: str
) -> None:
    data = pack(table)
    # In the file's header, and two bytes further in the directory at the end.
    for field in (place, data.rindex(b"PK\1\2") + place + 2):
        data[field] = value
    packed = table.with_name("fer2013.csv.zip")
    packed.write_bytes(data)
    with pytest.raises(DatasetError, match=rf"\.zip cannot be unpacked .*{complaint}.*: expected"):
        load_dataset(packed)


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        (0, "7", "unknown label '7'"),
        (0, "happy", "unknown label 'happy'"),
        (1, "1 2 3", "3 pixels; expected 2304"),
        (1, "", "expected 2304|whole number"),
        (1, " ".join(["1"] * 2303 + ["x"]), "whole number"),
        (1, " ".join(["1"] * 2303 + ["1.5"]), "whole number"),
        (1, " ".join(["256"] * 2304), "outside of 0 to 255"),
        (1, " ".join(["-1"] * 2304), "outside of 0 to 255"),
        (2, "Validation", "unknown usage 'Validation'"),
    ],
)
def test_bad_row_is_named_with_its_number(
    table: Path, column: int, value: str, complaint: str
) -> None:
    damage(table, 5, column, value)
    with pytest.raises(DatasetError, match=rf"fer2013\.csv, row 5: .*({complaint})"):
        load_dataset(table)


def test_row_with_a_column_too_few_is_named(table: Path) -> None:
    with open(table, "a") as file:
        file.write("3,1 2 3\n")
    with pytest.raises(DatasetError, match=rf"row {len(ROWS) + 1}: 2 columns; expected 3"):
        load_dataset(table)


def test_other_table_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "iris.csv").write_text("sepal,petal\n1,2\n")
    with pytest.raises(DatasetError, match="starts with 'sepal,petal'"):
        load_dataset(tmp_path / "iris.csv")


def test_missing_path_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no data at .*give fer2013\.csv"):
        load_dataset(tmp_path / "nothing.csv")


def test_table_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no picture"):
        load_dataset(write_csv(tmp_path / "fer2013.csv", []))


def test_splits_that_there_are_are_named(table: Path) -> None:
    with pytest.raises(
        DatasetError, match="no split 'validation'; expected one of training, public"
    ):
        load_dataset(table).split("validation")


def test_votes_beside_the_csv_are_read(table: Path) -> None:
    write_votes(table, len(ROWS), no_face=3)
    dataset = load_dataset(table)
    assert dataset.votes is not None
    assert dataset.votes[:, 0].tolist() == [number % 10 for number in range(len(ROWS))]
    assert np.flatnonzero(dataset.no_face).tolist() == [3]


def test_votes_of_another_table_are_refused(table: Path) -> None:
    write_votes(table, len(ROWS) - 1, no_face=3)
    with pytest.raises(DatasetError, match="belong together row by row"):
        load_dataset(table)


@pytest.mark.parametrize("vote", ["many", "-1", "9" * 5000, "٣٣٣"])
def test_bad_vote_is_named_with_its_row(table: Path, vote: str) -> None:
    damage(write_votes(table, len(ROWS), no_face=3), 8, 4, vote)
    with pytest.raises(DatasetError, match=r"fer2013new\.csv, row 8"):
        load_dataset(table)


def test_folders_take_the_label_from_their_names(tmp_path: Path) -> None:
    dataset = load_dataset(write_folders(tmp_path, ROWS))
    held = {(f.tobytes(), int(n), str(u)) for f, n, u in _triples(dataset)}
    assert held == {(face.tobytes(), label, usage) for label, face, usage in ROWS}


def _triples(dataset: FaceDataset):  # type: ignore[no-untyped-def]
    return zip(dataset.faces, dataset.labels, dataset.usage, strict=True)


def test_test_folder_without_prefixes_is_test_and_neither_of_the_two(tmp_path: Path) -> None:
    dataset = load_dataset(write_folders(tmp_path, ROWS, prefixes=False))
    assert len(dataset.split("test")) == sum(usage != "Training" for _, _, usage in ROWS)
    with pytest.raises(DatasetError, match="no picture of the split 'public'; it has: Test, Train"):
        dataset.split("public")


@pytest.mark.parametrize("suffix", [".jpg", ".PNG", ".bmp", ".webp", ".tiff"])
def test_folders_read_other_formats_and_sizes(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "train" / "Happy"
    folder.mkdir(parents=True)
    picture = cv2.cvtColor(cv2.resize(draw_face(3, 0), (96, 96)), cv2.COLOR_GRAY2BGR)
    cv2.imwrite(str(folder / f"a{suffix}"), picture)
    (folder / "._a.jpg").write_bytes(b"left by a file manager")
    dataset = load_dataset(tmp_path)
    assert dataset.labels.tolist() == [3]
    assert dataset.faces.shape == (1, 48, 48)
    assert np.abs(dataset.faces[0].astype(int) - draw_face(3, 0)).mean() < 6


@pytest.mark.parametrize("content", [b"", b"this is no picture"])
def test_unreadable_picture_is_named_with_its_path(tmp_path: Path, content: bytes) -> None:
    root = write_folders(tmp_path, ROWS)
    (root / "test" / "sad" / "broken.jpg").write_bytes(content)
    with pytest.raises(DatasetError, match=r"test.sad.broken\.jpg is no picture"):
        load_dataset(root)


def test_dangling_link_is_named_with_its_path(tmp_path: Path) -> None:
    root = write_folders(tmp_path, ROWS)
    os.symlink("nowhere.png", root / "train" / "sad" / "gone.png")
    with pytest.raises(DatasetError, match=r"gone\.png does not exist"):
        load_dataset(root)


def test_unknown_folder_is_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path, ROWS)
    (root / "train" / "contempt").mkdir()
    with pytest.raises(DatasetError, match=r"train.contempt: no expression is called 'contempt'"):
        load_dataset(root)


def test_empty_folder_is_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path, ROWS)
    for file in (root / "train" / "disgust").iterdir():
        file.unlink()
    with pytest.raises(DatasetError, match=r"train.disgust holds no picture"):
        load_dataset(root)


def test_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no picture: expected"):
        load_dataset(tmp_path)


def test_splits_hold_what_their_names_say(table: Path) -> None:
    dataset = load_dataset(table)
    held = {n: set(dataset.split(n).usage) for n in ("training", "public", "private", "test")}
    assert held == {
        "training": {"Training"},
        "public": {"PublicTest"},
        "private": {"PrivateTest"},
        "test": {"PublicTest", "PrivateTest"},
    }


def test_training_leaves_out_faces_of_the_tests_and_rows_without_a_face(table: Path) -> None:
    tested = [face for _, face, usage in ROWS if usage != "Training"]
    rows = [(label, face, usage) for label, face, usage in ROWS]
    rows[4] = (rows[4][0], tested[0], "Training")
    rows[5] = (rows[5][0], tested[-1], "Training")
    write_csv(table, rows)
    write_votes(table, len(rows), no_face=0)
    training = load_dataset(table).clean_training()
    expected = [
        face for i, (_, face, u) in enumerate(rows) if u == "Training" and i not in (0, 4, 5)
    ]
    assert np.array_equal(training.faces, np.stack(expected))


def test_expression_without_a_training_face_is_named(tmp_path: Path) -> None:
    rows = [row for row in ROWS if row[0] != 1 or row[2] != "Training"]
    dataset = load_dataset(write_csv(tmp_path / "fer2013.csv", rows))
    with pytest.raises(DatasetError, match="No training picture of the expression 'disgust'"):
        dataset.clean_training()
