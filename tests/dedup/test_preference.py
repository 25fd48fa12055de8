import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup.preference import EARLIER, Survivor, earlier, of_earlier, ranks

documents = st.lists(st.tuples(st.integers(0, 1 << 39), st.floats(0, 1, width=32)), min_size=1)


@given(documents)
def test_the_longest_or_best_of_a_source_has_the_smallest_rank(found: list[tuple[int, float]]) -> None:
    sizes, scores = np.array([s for s, _ in found]), np.array([s for _, s in found], np.float32)
    choices: list[tuple[Survivor, np.ndarray]] = [("longest", sizes), ("best", scores)]
    for choice, by in choices:
        rank = ranks(choice, 0, sizes, scores)
        assert by[np.argmin(rank)] == by.max()
        assert np.array_equal(np.argsort(rank, kind="stable"), np.argsort(-by, kind="stable"))
    assert len(set(ranks("first", 3, sizes, None).tolist())) == 1, "the smaller id decides"


def test_an_earlier_run_goes_before_the_first_source_and_that_before_the_second() -> None:
    longest, shortest = np.array([1 << 39]), np.array([0])
    assert 0 < ranks("longest", 0, shortest, None)[0] < ranks("longest", 1, longest, None)[0]


def test_ids_of_earlier_runs_are_their_own() -> None:
    ids = np.array([0, 5 << 32 | 7], np.uint64)
    found = np.concatenate([ids, earlier(ids, 0), earlier(ids, 127)])
    assert len(set(found.tolist())) == 6
    assert (found >= EARLIER).tolist() == [False] * 2 + [True] * 4
    known = [of_earlier(document) for document in found.tolist()]
    assert known == [None, None, *((number, id_) for number in (0, 127) for id_ in ids.tolist())]
