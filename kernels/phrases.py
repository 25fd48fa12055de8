"""Thousands of words and phrases looked for at once, each where its language would have it stand as a word.

In come a batch of texts and phrases, out comes what of them is in each text. Case does not count. What stays true: a
phrase is found letter by letter, never by a hash alone; and never inside a word ("classic" holds no "ass").

A phrase's first and last characters must have a word boundary outside of them, by the rules of `kernels.words`: between
letters, digits and marks of one script there is none, but beside every character of a script without spaces there is,
and a run of Katakana is a word. A sign at a phrase's edge ("@", "$", any punctuation) is a letter of it: before it and
after it there is no letter of a spaced script. Beside any other symbol (emoji) there may be anything.
White space in a phrase is any white space. Format characters (soft hyphens, joiners, marks of direction) and variation
selectors count for nothing, in the phrase and in the text.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import (
    MARK,
    PUNCTUATION,
    SCRIPT,
    SPACE,
    SYMBOL,
    UNSPACED,
    WORD,
    Characters,
    characters,
    decode,
    flags_of,
    folded,
)
from kernels.compiled import inner, kernel
from kernels.hashing import Hash
from kernels.phrase_trie import BLANK, ROOT, Phrases, is_nothing, may_start, step
from kernels.texts import Texts
from kernels.words import Words

COLUMNS = ("matches", "words", "different", "first")
_MATCHES, _WORDS, _DIFFERENT, _FIRST = range(len(COLUMNS))
_SIGN = PUNCTUATION | SYMBOL
_ASCII = Hash(128)


def find(texts: Texts, rows: NDArray[np.int64], phrases: Phrases) -> NDArray[np.int64]:
    """A row of COLUMNS for each of `rows`, numbers of texts.

    matches: places where a phrase stands, from left to right, the longest one at each, none inside another. words:
    those of `texts.words` that a match is in, or a part of it. different: phrases found. first: the number of the first
    that is found, -1 without any.
    """
    counts = np.zeros((len(rows), len(COLUMNS)), np.int64)
    seen = np.full(len(phrases.ends), -1, np.int64)
    _find(texts.data, texts.offsets, texts.words, characters(), rows, phrases, seen, counts)
    return counts


@kernel
def _find(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    words: Words,
    characters: Characters,
    rows: NDArray[np.int64],
    phrases: Phrases,
    seen: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    for k in range(len(rows)):
        text, found = rows[k], counts[k]
        found[_FIRST] = -1
        i, end, before = offsets[text], offsets[text + 1], 0
        word, last = words.first[text], words.first[text + 1]
        while i < end:
            byte = Hash(data[i])
            if byte < _ASCII:
                # Most are within a word, or are what nothing starts with.
                is_word = np.int64(characters.flags[byte]) & WORD
                if (is_word and before == WORD) or not phrases.starts[byte]:
                    before, i = WORD if is_word else 0, i + 1
                    continue
            point, after = decode(data, i)
            flags = flags_of(point, characters)
            if is_nothing(point, flags):
                i = after
                continue
            phrase = -1
            if _parted(before, flags, _kind(0, flags), True) and may_start(data, i, end, phrases):
                phrase, match_end, kind = _longest(data, i, end, characters, phrases)
            if phrase < 0:
                before, i = _kind(before, flags), after
                continue
            if found[_MATCHES] == 0:
                found[_FIRST] = phrase
            found[_MATCHES] += 1
            found[_DIFFERENT] += seen[phrase] != k
            seen[phrase] = k
            while word < last and words.start[word] + words.size[word] <= i:
                word += 1
            while word < last and words.start[word] < match_end:
                found[_WORDS] += 1
                word += 1
            before, i = kind, match_end


@inner
def _longest(
    data: NDArray[np.uint8], i: int, end: int, characters: Characters, phrases: Phrases
) -> tuple[int, int, int]:
    """The longest phrase that stands at byte `i` (-1 if none does), where it ends, and the kind of its end."""
    best, best_end, best_kind = -1, i, 0
    node, kind = ROOT, 0
    while i < end:
        point, after = decode(data, i)
        flags = flags_of(point, characters)
        i = after
        if is_nothing(point, flags):
            continue
        if flags & SPACE:
            node = step(node, BLANK, phrases)
            i = _after_spaces(data, i, end, characters)
        else:
            node = step(node, folded(point, characters), phrases)
        if node == 0:
            break
        kind = _kind(kind, flags)
        if phrases.ends[node] >= 0:
            if _closes(data, i, end, kind, flags, characters):
                best, best_end, best_kind = phrases.ends[node], i, kind
    return best, best_end, best_kind


@inner
def _after_spaces(data: NDArray[np.uint8], i: int, end: int, characters: Characters) -> int:
    while i < end:
        point, after = decode(data, i)
        flags = flags_of(point, characters)
        if not (flags & SPACE or is_nothing(point, flags)):
            break
        i = after
    return i


@inner
def _closes(data: NDArray[np.uint8], i: int, end: int, kind: int, last: int, characters: Characters) -> bool:
    """Whether a phrase can end before byte `i`, with a character of flags `last`."""
    while i < end:
        point, after = decode(data, i)
        flags = flags_of(point, characters)
        if not is_nothing(point, flags):
            if flags & MARK and kind:
                return False
            return _parted(_kind(0, flags), last, kind, False)
        i = after
    return True


@inner
def _kind(before: int, flags: int) -> int:
    """WORD with the script, of a character of a word; a mark has that of the letter it is on; 0 of any other."""
    if not flags & WORD:
        return 0
    if flags & MARK and before:
        return before
    return flags & SCRIPT | WORD


@inner
def _parted(outside: int, flags: int, kind: int, starts: bool) -> bool:
    """Whether a phrase's edge, a character of some flags and a kind, may stand beside a character of kind `outside`."""
    if outside == 0:
        return True
    if kind == 0:
        return not flags & _SIGN or outside != WORD
    if starts and flags & MARK:
        return False
    return outside & SCRIPT == UNSPACED or outside != kind
