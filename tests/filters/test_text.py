import pytest

from filters.text import count_sentences, duplicates


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("", 1),
        ("no end", 1),
        ("One end.", 1),
        ("One end. And a rest", 2),
        ("One. Two! Three?", 3),
        ("One.  Two!\tThree?\u2028Four. ", 4),
        ('He said "Stop!" and (so) they did. (All.) Yes.', 4),
        ("Version 3.11 of example.org is out!!! Really?!", 2),
        ("Well... it is", 2),
    ],
)
def test_count_sentences(line: str, sentences: int) -> None:
    assert count_sentences(line) == sentences


def test_duplicates_counts_every_copy_after_the_first() -> None:
    assert duplicates(["ab", "c", "ab", "", "ab", ""]) == (3, 4)
    assert duplicates([]) == (0, 0)
