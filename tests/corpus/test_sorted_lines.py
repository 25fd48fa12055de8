from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from corpus.sorted_lines import SortedLines

lines = st.binary(max_size=4).map(lambda line: line.replace(b"\n", b"\r"))


@given(st.lists(lines, max_size=60), st.integers(1, 20))
def test_lines_come_once_and_in_order_however_few_fit_into_memory(wanted: list[bytes], in_memory: int) -> None:
    found = SortedLines("memory://test-sorted-lines", in_memory)
    for line in wanted:
        found.add(line)
        assert len(found.lines) < in_memory
    assert list(found.merged()) == sorted(set(wanted))


def test_runs_lie_in_the_folder(tmp_path: Path) -> None:
    found = SortedLines(str(tmp_path), 2)
    for line in b"c", b"a", b"c", b"a", b"b":
        found.add(line)
    assert sorted(p.read_bytes() for p in tmp_path.iterdir()) == [b"a\nc\n", b"a\nc\n"]
    assert list(found.merged()) == [b"a", b"b", b"c"]
