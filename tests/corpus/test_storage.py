import os
import uuid
from pathlib import Path

import numpy as np
import pytest

from corpus import storage


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else f"memory://{uuid.uuid4()}"


def test_what_is_written_is_read_and_listed(folder: str) -> None:
    storage.write_bytes(f"{folder}/a/b.bin", b"bytes")
    storage.write_json(f"{folder}/a/c.json", {"b": "é", "a": [1]})
    assert storage.read_bytes(f"{folder}/a/b.bin") == b"bytes"
    assert storage.read_json(f"{folder}/a/c.json") == {"b": "é", "a": [1]}
    assert storage.list_folder(f"{folder}/a") == {"b.bin": 5, "c.json": storage.size(f"{folder}/a/c.json")}
    assert storage.list_folder(f"{folder}/nowhere") == {}
    storage.remove_tree(f"{folder}/a")
    assert not storage.exists(f"{folder}/a/b.bin")


def test_a_write_that_fails_leaves_what_was_there(folder: str) -> None:
    path = f"{folder}/file"
    storage.write_bytes(path, b"before")

    def write_half() -> None:
        with storage.open_write(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert storage.read_bytes(path) == b"before"
    assert list(storage.list_folder(folder)) == ["file"]


def test_nothing_is_there_under_the_final_name_before_the_end(folder: str) -> None:
    with storage.open_write(f"{folder}/file") as file:
        file.write(b"all of it")
        assert not storage.exists(f"{folder}/file")
        assert storage.list_folder(folder) == {}
    assert storage.read_bytes(f"{folder}/file") == b"all of it"


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / f"file{storage.TEMPORARY}123").write_bytes(b"half")
    (tmp_path / "file").write_bytes(b"whole")
    storage.remove_temporary(str(tmp_path))
    assert os.listdir(tmp_path) == ["file"]


def test_arrays_are_mapped_and_an_empty_one_is_no_error(folder: str) -> None:
    values = np.arange(5, dtype="<u2")
    storage.write_bytes(f"{folder}/a", values.tobytes())
    storage.write_bytes(f"{folder}/b", b"")
    assert storage.read_array(f"{folder}/a", "<u2").tolist() == values.tolist()
    assert len(storage.read_array(f"{folder}/b", "<u2")) == 0


def test_a_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = storage.fingerprint(str(path))
    assert storage.fingerprint(str(path)) == before
    path.write_bytes(b"other")
    assert storage.fingerprint(str(path)) != before
    with pytest.raises(ValueError, match="is a directory"):
        storage.fingerprint(str(tmp_path))


def test_a_glob_is_sorted_and_a_name_with_brackets_is_itself(tmp_path: Path) -> None:
    for name in ("b.gz", "a.gz", "c[1].gz", "d.txt"):
        (tmp_path / name).touch()
    assert [Path(n).name for n in storage.glob(f"{tmp_path}/*.gz")] == ["a.gz", "b.gz", "c[1].gz"]
    assert [Path(n).name for n in storage.glob(f"{tmp_path}/c[1].gz")] == ["c[1].gz"]
    assert storage.glob(f"{tmp_path}/*.zip") == []
