from hypothesis import given
from hypothesis import strategies as st

from corpus.counts import merge

PARTS = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers()).map(lambda d: {"n": sum(d.values()), "by": d}))


def test_numbers_add_lists_concatenate_and_mappings_merge() -> None:
    parts = [{"n": 1, "files": ["a"], "by": {"x": 1}}, {"n": 2, "files": ["b"], "by": {"y": 1, "x": 4}}, {"new": 1}]
    assert merge(parts) == {"by": {"x": 5, "y": 1}, "files": ["a", "b"], "n": 3, "new": 1}


@given(PARTS, PARTS)
def test_it_does_not_matter_how_the_parts_are_grouped(
    left: list[dict[str, object]], right: list[dict[str, object]]
) -> None:
    assert merge([merge(left), merge(right)]) == merge([*left, *right]) == merge([*right, *left])
    assert repr(merge([*left, *right])) == repr(merge([*right, *left])), "the order of keys too"


def test_nothing_that_goes_in_is_changed() -> None:
    part = {"by": {"x": 1}}
    merge([part, part])
    assert part == {"by": {"x": 1}}
