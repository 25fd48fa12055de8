"""Which pages a list of citations holds, however either side spells them."""

import bz2
import gzip
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.urls import cited_key
from filters.citations import Cited, keys, listed

LIST = """# cited by hand
http://www.example.org/a/?utm_source=x

example.org/~user
  https://bücher.example:443/é#part\t
http://example.org:8080/b
"""


@pytest.fixture
def handmade(tmp_path: Path) -> str:
    (tmp_path / "hand.txt").write_bytes(b"\xef\xbb\xbf" + LIST.replace("\n", "\r\n").encode())
    return str(tmp_path / "hand.txt")


def test_spelling_plays_no_part_on_either_side(handmade: str) -> None:
    cited = Cited.load([handmade])
    held = [
        "https://example.org/a",
        "http://example.org/a/#top",
        "https://www.example.org/a?fbclid=2",
        "http://www.example.org/%7Euser/",
        "https://xn--bcher-kva.example/%C3%A9",
        "http://bücher.example/%c3%a9?gclid=1",
        "https://EXAMPLE.org:8080/b",
    ]
    others = [
        "https://example.org/A",
        "https://example.org/a?x=1",
        "https://example.org",
        "http://example.org/b",
        "https://example.com/a",
        "https://m.example.org/a",
        "ftp://example.org/a",
        "# cited by hand",
        "",
    ]
    assert cited.holds([*held, *others]).tolist() == [True] * len(held) + [False] * len(others)
    assert cited.holds([]).shape == (0,)
    assert cited.hashes.dtype == np.uint64


def test_lists_add_up_and_may_be_compressed(tmp_path: Path, handmade: str) -> None:
    # Enough lines that they come in several batches and chunks.
    many = "".join(f"a{n}.example/{'x' * 20}\n" for n in range(70_000))
    (tmp_path / "many.gz").write_bytes(gzip.compress(many.encode()))
    (tmp_path / "one").write_bytes(bz2.compress(b"one.example"))
    cited = Cited.load([handmade, str(tmp_path / "many.gz"), str(tmp_path / "one"), handmade])
    assert len(cited.hashes) == 70_000 + 1 + 4
    wanted = [f"http://a{n}.example/{'x' * 20}" for n in range(70_000)]
    assert cited.holds([*wanted, "http://one.example/", "http://example.org/a"]).all()
    assert not cited.holds([f"http://b{n}.example/{'x' * 20}" for n in range(1000)]).any()


def test_nothing_listed_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n\n")
    for cited in Cited.load([]), Cited.load([str(tmp_path / "empty")]):
        assert cited.holds(["", "http://example.org"]).tolist() == [False, False]


@given(st.lists(st.sampled_from("abcd"), max_size=4), st.lists(st.sampled_from(["a", "b", "c", "x", ""]), max_size=6))
def test_a_list_holds_what_is_on_it(lines: list[str], asked: list[str]) -> None:
    with fsspec.open("memory://test-citations/list", "wb") as file:
        file.write("\n".join(f"{line}.example" for line in lines).encode())
    cited = Cited.load(["memory://test-citations/list"])
    urls = [f"http://{name}.example" if name else "" for name in asked]
    assert cited.holds(urls).tolist() == [name in lines for name in asked]


@pytest.mark.parametrize(
    "line", ["not a url", "localhost", "mailto:me@a.example", "/a/b", '{"url": "http://a.example"}']
)
def test_a_line_that_is_no_url_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "list.txt").write_text(f"a.example\n\n{line}\nb.example")
    with pytest.raises(ValueError, match=r"list\.txt, line 3: .*is no URL of a web page; write"):
        list(listed(str(tmp_path / "list.txt")))


def test_a_damaged_list_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"a{n * n * n}.example\n" for n in range(9000)).encode())
    (tmp_path / "list.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"list\.gz: the compressed data is damaged"):
        Cited.load([str(tmp_path / "list.gz")])


def test_an_archives_copy_cites_the_page_too() -> None:
    assert keys("http://www.a.example/x/") == ["a.example/x"]
    assert keys("//web.archive.org/web/2010/http://a.example/x#y") == [
        "web.archive.org/web/2010/http://a.example/x",
        "a.example/x",
    ]
    assert keys("https://archive.is/2012.01.02/https://a.example/") == [
        "archive.is/2012.01.02/https://a.example",
        "a.example",
    ]
    assert keys("http://web.archive.org/web/2010/about:blank") == ["web.archive.org/web/2010/about:blank"]
    assert keys("mailto:me@a.example") == []


@given(st.text(max_size=30))
def test_keys_are_keys(url: str) -> None:
    for key in keys(f"http://a.example/{url}") + keys(f"http://web.archive.org/web/2010/{url}"):
        assert key == cited_key(key) != ""
