import gzip
import re
from pathlib import Path

import pytest

from filters import list_files


def test_entries_have_the_numbers_of_their_lines(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes("\ufeff# what this is\none\r\n\n  two words \n#three\nvier ü".encode())
    assert list(list_files.entries(str(tmp_path / "list"))) == [(2, "one"), (4, "two words"), (6, "vier ü")]


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(gzip.compress(b"one\n"))
    assert list(list_files.entries(str(tmp_path / "list"))) == [(1, "one")]
    (tmp_path / "list").write_bytes(gzip.compress(b"one\n" * 100)[:-9])
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path}/list is damaged gzip")):
        list_files.read(str(tmp_path / "list"))


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"one\ncaf\xe9\n")
    with pytest.raises(ValueError, match=re.escape(r"list, line 2: b'caf\xe9' is not UTF-8; convert the file")):
        list(list_files.entries(str(tmp_path / "list")))


@pytest.mark.parametrize(
    ("file", "name", "folder"),
    [("ut1/adult/domains.gz", "domains", "adult"), ("en.txt", "en", ""), ("s3://lists/bad/en.txt.gz", "en", "bad")],
)
def test_names(file: str, name: str, folder: str) -> None:
    assert (list_files.name(file), list_files.folder(file)) == (name, folder)
