"""N-grams shared with known texts, against a dictionary of tuples of words."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.gram_index import index_of
from kernels.shared_grams import HALVES, Index, count, find
from kernels.texts import Texts
from tests.kernels import twins

NEAR, FAR = 3, 5


class Word(NamedTuple):
    letters: str
    halves: int


def plain_words(text: str) -> list[Word]:
    counted = [(twins.normal(word), 1 if twins.script(word[0]) == "unspaced" else 2) for word in twins.words(text)]
    return [Word(letters, halves) for letters, halves in counted if letters]


def plain_grams(words: list[Word], halves: int) -> list[tuple[int, tuple[str, ...]]]:
    """Where each n-gram starts that has `halves` halves of words or just more, and its words."""
    found = []
    for start in range(len(words)):
        end, total = start, 0
        while end < len(words) and total < halves:
            total += words[end].halves
            end += 1
        if total >= halves:
            found.append((start, tuple(word.letters for word in words[start:end])))
    return found


def is_evidence(gram: tuple[str, ...]) -> bool:
    return 2 * sum(any(map(str.isalpha, word)) for word in gram) >= len(gram)


def plain_index(items: list[list[str]]) -> dict[tuple[str, ...], int]:
    """Each n-gram of a string or of two neighbours in an item, and the first item that has it."""
    index: dict[tuple[str, ...], int] = {}
    for number, item in enumerate(items):
        strings = [plain_words(string) for string in item]
        for words in [*strings, *(a + b for a, b in pairwise(strings))]:
            for _, gram in plain_grams(words, HALVES * FAR):
                if is_evidence(gram):
                    index.setdefault(gram, number)
        for words in strings:
            gram = tuple(word.letters for word in words)
            if HALVES * NEAR <= sum(word.halves for word in words) < HALVES * FAR and is_evidence(gram):
                index.setdefault(gram, number)
    return index


def build(items: list[list[str]]) -> tuple[Index, np.ndarray]:
    """The same n-grams as `plain_index`."""
    texts = Texts.of([string for item in items for string in item])
    words = count(texts)
    rows, string = [], 0
    for number, item in enumerate(items):
        begin = string
        for string in range(begin, begin + len(item)):
            start, end = words.first[string], words.first[string + 1]
            rows.append((start, end, end, end, number, 0))
        for string in range(begin, begin + len(item) - 1):
            start, end, last = words.first[string : string + 3]
            rows.append((start, end, end, last, number, 0))
        for string in range(begin, begin + len(item)):
            start, end = words.first[string], words.first[string + 1]
            if HALVES * NEAR <= words.halves[end] - words.halves[start] < HALVES * FAR:
                rows.append((start, end, end, end, number, 1))
        string = begin + len(item)
    return index_of(texts, words, np.array(rows, np.int64).reshape(-1, 6), len(items), HALVES * NEAR, HALVES * FAR)


def found_in(text: str, index: Index) -> list[tuple[int, int, int]]:
    """Words from, words to, and the item, of a text that is between two others."""
    texts = Texts.of(["the cat sat", text, "on the mat"])
    counted = count(texts)
    matches = find(texts, counted, index)
    base = counted.first[1]
    return [
        (int(start - base), int(end - base), int(index.item[gram]))
        for start, end, gram in zip(matches.start, matches.end, matches.gram, strict=True)
        if base <= start < counted.first[2]
    ]


def plainly(text: str, index: dict[tuple[str, ...], int]) -> list[tuple[int, int, int]]:
    words = plain_words(text)
    letters = tuple(word.letters for word in words)
    full = dict(plain_grams(words, HALVES * FAR))
    found = []
    for start in range(len(words)):
        whole = [letters[start : start + n] for n in range(HALVES * FAR, 0, -1)]
        whole = [gram for gram in whole if sum(w.halves for w in words[start : start + len(gram)]) < HALVES * FAR]
        for gram in [full.get(start), *whole]:
            if gram in index:
                found.append((start, start + len(gram), index[gram]))
                break
    return found


# Few words, so that many are shared; some without letters, without spaces, in another case or with marks.
WORDS = st.sampled_from("the The cat, sat on - 7 12 É e\u0301 漢字 字 漢。 ﬁ Straße".split())
SENTENCES = st.lists(WORDS, max_size=14).map(" ".join)


@given(st.lists(st.lists(SENTENCES, min_size=1, max_size=3), min_size=1, max_size=4), SENTENCES)
def test_what_is_found_is_what_a_dictionary_finds(items: list[list[str]], text: str) -> None:
    index, found = build(items)
    plain = plain_index(items)
    assert len(index.hashes) == len(plain)
    assert found_in(text, index) == plainly(text, plain)
    assert all(found[item] for item in plain.values())


@given(st.lists(SENTENCES, min_size=1, max_size=4))
def test_an_item_is_found_in_itself(item: list[str]) -> None:
    index, _ = build([item])
    for string in item:
        expected = plainly(string, plain_index([item]))
        assert found_in(string, index) == expected


def test_an_equal_hash_is_not_enough() -> None:
    index, _ = build([["the cat sat on mats"]])
    assert found_in("the cat sat on mats", index) == [(0, 5, 0)]
    # The text that is known now reads otherwise, while all hashes are as they were.
    data = index.data.copy()
    data[data == ord("c")] = ord("b")
    assert found_in("the cat sat on mats", index._replace(data=data)) == []


def test_without_known_texts_nothing_is_found() -> None:
    index, found = build([])
    assert found_in("the cat sat on the mat", index) == []
    assert len(found) == 0
