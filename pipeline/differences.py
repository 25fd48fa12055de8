"""Where two texts first differ, and what they share, as words to show to a person.

What stays true: the words before the difference are the same but for case, and at most so many words of each text
are compared that a pair takes milliseconds.
"""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice

# How much of the texts is compared, and how much of a difference is given.
COMPARED_WORDS, SHOWN_WORDS = 2_000, 24

# A word is what white space parts; Thai, Lao, Myanmar, Khmer, kana and Han have none, so each character is one there.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


@dataclass(frozen=True)
class Difference:
    """Where two texts first differ: at the `word`-th word, counted from 1, and the words there; "" for none."""

    word: int
    removed: str
    repeated: str


def first_difference(removed: str, repeated: str) -> Difference | None:
    """The first words, case aside, in which texts differ, out of COMPARED_WORDS of each; None where all are the same.

    What MinHash compares has no case either.
    """
    words = [list(islice(WORD.finditer(text), COMPARED_WORDS)) for text in (removed, repeated)]
    left, right = ([word[0].casefold() for word in found] for found in words)
    pairs = zip(left, right, strict=False)
    same = next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))
    if same == len(left) == len(right):
        return None
    # The words before it are the same, so the first operation is the difference, and it starts both.
    _, _, end, _, other_end = SequenceMatcher(None, left[same:], right[same:]).get_opcodes()[0]
    return Difference(
        same + 1,
        _excerpt(removed, words[0][same : same + end]),
        _excerpt(repeated, words[1][same : same + other_end]),
    )


def _excerpt(text: str, words: list[re.Match[str]]) -> str:
    """The text from the first of the words to the last, or to the last shown, on one line."""
    if not words:
        return ""
    shown = words[:SHOWN_WORDS]
    return " ".join(text[shown[0].start() : shown[-1].end()].split()) + (" …" if len(shown) < len(words) else "")


def shared_passages(text: str, other: str, words: int = 5) -> list[tuple[int, int]]:
    """Where in `text` stand runs of so many words that `other` has too, case aside: (start, end) in characters.

    Five are what near-duplicates are found by, unless a recipe says otherwise.
    """
    found, others = ([*islice(WORD.finditer(one), COMPARED_WORDS)] for one in (text, other))
    own, there = ([word[0].casefold() for word in matches] for matches in (found, others))
    runs = {tuple(there[n : n + words]) for n in range(len(there) - words + 1)}
    spans: list[tuple[int, int]] = []
    for n in range(len(own) - words + 1):
        if tuple(own[n : n + words]) in runs:
            start, end = found[n].start(), found[n + words - 1].end()
            if spans and start <= spans[-1][1]:
                start = spans.pop()[0]
            spans.append((start, end))
    return spans
