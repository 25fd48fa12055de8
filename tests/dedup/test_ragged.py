import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup.ragged import take


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=8), st.randoms())
def test_lists_change_places_and_stay_whole(lists: list[list[int]], random: "np.random.Generator") -> None:
    order = list(range(len(lists)))
    random.shuffle(order)
    values = np.array([v for each in lists for v in each], np.uint64)
    found = take(values, np.array([len(each) for each in lists], np.int64), np.array(order, np.int64))
    assert found.tolist() == [v for place in order for v in lists[place]]
