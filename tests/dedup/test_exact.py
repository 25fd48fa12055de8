import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.urls import same_url
from dedup.exact import url_hashes, winners
from kernels.signatures import text_hashes
from kernels.texts import Texts


def hashed(*texts: str) -> np.ndarray:
    ids = np.arange(len(texts), dtype=np.uint64)
    return winners(np.column_stack([text_hashes(Texts.of(list(texts))), np.ones_like(ids), ids]))


def test_case_and_white_space_do_not_make_a_text_another() -> None:
    assert hashed("A  text.", "a\ntext. ", "a text", "A TEXT.").tolist() == [0, 0, 2, 0]


@given(st.lists(st.tuples(*(st.integers(0, 2) for _ in range(3))), max_size=30), st.randoms())
def test_of_equal_hashes_the_smallest_rank_and_id_stays(found: list[tuple[int, int, int]], random: object) -> None:
    rows = [(*each, number) for number, each in enumerate(found)]
    random.shuffle(rows)  # type: ignore[attr-defined]
    table = np.array(rows, np.uint64).reshape(-1, 4)
    expected = [min((r[2], r[3]) for r in rows if r[:2] == row[:2])[1] for row in rows]
    assert [rows[winner][3] for winner in winners(table).tolist()] == expected


def test_what_makes_no_other_page_makes_no_other_url() -> None:
    same = ["https://www.Example.org/a/", "http://example.org/a#part", "example.org/a"]
    assert len({same_url(url) for url in same}) == 1
    other = ["https://example.org/A", "https://example.org/a?x=1", "https://m.example.org/a", "https://example.org"]
    assert len({same_url(url) for url in [*same, *other]}) == 5
    assert not url_hashes([""]).any()
    assert len(np.unique(url_hashes([*same, *other]), axis=0)) == 5
