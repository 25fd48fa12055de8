"""What kernels know of each of Unicode's code points: a set of flags, and what it folds to when case does not count.

Made from Python's own `unicodedata` and string methods, so kernels and Python agree on every character, whatever
version of Unicode this Python has.
"""

import string
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner

# str.isspace: where str.split splits, and what str.strip takes away.
SPACE = 1 << 0
# Where str.splitlines splits; a carriage return and the new line after it are one place.
LINE_BREAK = 1 << 1
# str.isalpha.
LETTER = 1 << 2
# Category Nd, which is `\d` to a regular expression.
DIGIT = 1 << 3
# str.isupper.
UPPER = 1 << 4
# Categories P*.
PUNCTUATION = 1 << 5
# Categories P*, Cc and Cf: what CCNet takes out of a line before it compares it. Not the new line.
SILENT = 1 << 6
# Letters, digits and the marks on them: what is left of a word for MinHash and the linear classifier.
WORD = 1 << 7
# What makes no word by itself (see SYMBOLS), and what ends a sentence (see TERMINALS).
SYMBOL = 1 << 8
TERMINAL = 1 << 9
# Scripts without spaces between words: each such character is a word, a run of Katakana is one, marks join them.
UNSPACED = 1 << 10
KATAKANA = 1 << 11
MARK = 1 << 12
SCRIPT = UNSPACED | KATAKANA
# Categories N*, which is `\p{N}`; LETTER is `\p{L}`.
NUMBER = 1 << 13
# Category Cn: what this Python's version of Unicode does not know. And the private planes, which nobody uses.
UNASSIGNED = 1 << 14

_BLOCK = 256
_CODE_POINTS = sys.maxunicode + 1
# From here to the end there is nothing but what is unassigned or private, save for the block of tags and selectors.
_ASSIGNED = 0x33500
_TAGS = range(0xE0000, 0xE0200)


def code_points(ranges: str) -> str:
    """The characters of hexadecimal ranges: "21 7f-81" is four of them."""
    bounds = [entry.split("-") for entry in ranges.split()]
    return "".join(chr(point) for pair in bounds for point in range(int(pair[0], 16), int(pair[-1], 16) + 1))


# What ends a sentence in any script, as in datatrove 0.10.1: Unicode 15's Sentence_Terminal give or take a few signs.
TERMINALS = frozenset(
    code_points(
        "21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e 1735-1736 "
        "17d4-17d6 17d9-17da 1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e 1c3b-1c3c 1c7e-1c7f 203c-203d "
        "2047-2049 2e2e 2e3c 2e53-2e54 3002 a4ff a60e-a60f a6f3 a6f7 a876-a877 a8ce-a8cf a92f a9c8-a9c9 aa5d-aa5f "
        "aaf0-aaf1 abeb fe52 fe56-fe57 ff01 ff0e ff1f ff61 10a56-10a57 10f55-10f59 10f86-10f89 11047-11048 110be-110c1 "
        "11141-11143 111c5-111c6 111cd 111de-111df 11238-11239 1123b-1123c 112a9 1144b-1144c 115c2-115c3 115c9-115d7 "
        "11641-11642 1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c 11c41-11c42 11ef7-11ef8 11f43-11f44 16a6e-16a6f "
        "16af5 16b37-16b38 16b44 16e98 1bc9f 1da88"
    )
)

# What makes no word by itself: the terminals, ASCII punctuation, the punctuation of CCNet's list (with its one odd
# entry, the fullwidth digit 1) and the control characters that are not a tab or a new line.
SYMBOLS = (
    "".join(sorted(TERMINALS))
    + string.punctuation
    + code_points(
        "0-8 b-1f 7f-9f ab b4 bb 2013-2014 2019 201c-201e 2026 2236 2501 25ba 3001 3008-300d 3010-3011 ff05 ff08-ff09 "
        "ff0c ff11 ff1a-ff1b ff5e"
    )
)

_LINE_BREAKS = code_points("a-d 1c-1e 85 2028-2029")

# Thai, Lao, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham, Tai Viet, Ahom; Hiragana; Han with its extensions: the
# scripts that UAX #29 parts at every character, for want of a dictionary.
_UNSPACED = (
    "e00-e7f e80-eff 1000-109f a9e0-a9ff aa60-aa7f 1780-17ff 1950-197f 1980-19df 1a20-1aaf aa80-aadf 11700-1174f "
    "3006-3007 3041-309f 3400-4dbf 4e00-9fff f900-faff 17000-18cff 18d00-18d08 1b001-1b11f 1b132 1b150-1b152 "
    "1b170-1b2fb 20000-323af"
)
_KATAKANA = (
    "3031-3035 30a1-30ff 31f0-31ff 32d0-32fe 3300-3357 ff66-ff9d 1aff0-1affe 1b000 1b120-1b122 1b155 1b164-1b167"
)
# Half-width signs that voice the Katakana before them, as marks do.
_VOICING = "ff9e-ff9f"


class Characters(NamedTuple):
    """Code point c has its flags at `flags[place]`, and folds to c + `fold[place]` modulo 2**32, where `place` is
    `block[c >> 8] << 8 | c & 255`. ASCII is block 0.
    """

    block: NDArray[np.uint16]
    flags: NDArray[np.uint16]
    fold: NDArray[np.uint32]


def fold(character: str) -> str:
    """`character` without its case where that is a single character: "ß" and "İ" stay, "Σ" and "ς" become "σ"."""
    folded = character.casefold()
    return folded if len(folded) == 1 else character


@cache
def characters() -> Characters:
    """The tables, made once a process in some tens of milliseconds."""
    points = np.array([*range(_ASSIGNED), *_TAGS], np.uint32)
    as_characters = points.view("U1")
    category = np.array(list(map(unicodedata.category, map(chr, points.tolist()))))
    major = category.astype("U1")
    members = {
        SPACE: np.strings.isspace(as_characters),
        LINE_BREAK: _among(points, _LINE_BREAKS),
        LETTER: np.strings.isalpha(as_characters),
        DIGIT: category == "Nd",
        UPPER: np.strings.isupper(as_characters),
        PUNCTUATION: major == "P",
        SILENT: ((major == "P") | (category == "Cc") | (category == "Cf")) & (as_characters != "\n"),
        WORD: np.strings.isalnum(as_characters) | (major == "M"),
        SYMBOL: _among(points, SYMBOLS),
        TERMINAL: _among(points, TERMINALS),
        # Marks, signs and digits inside such a block are what they are anywhere else.
        UNSPACED: _among(points, code_points(_UNSPACED)) & ((major == "L") | (category == "Nl")),
        KATAKANA: _among(points, code_points(_KATAKANA)) & (major == "L"),
        # A zero-width space parts words where a script has no other sign for it.
        MARK: (major == "M")
        | ((category == "Cf") & (as_characters != "\u200b"))
        | _among(points, code_points(_VOICING)),
        NUMBER: major == "N",
        UNASSIGNED: category == "Cn",
    }
    flags = np.full(_CODE_POINTS, UNASSIGNED, np.uint16)
    flags[points] = 0
    for flag, there in members.items():
        flags[points[there]] |= np.uint16(flag)
    folds = np.arange(_CODE_POINTS, dtype=np.uint32)
    # Most are letters without case or not assigned, and asking them one by one would take longest.
    cased = points[~np.isin(category, ["Lo", "Cn", "Co", "Cs"])]
    folds[cased] = [ord(fold(chr(point))) for point in cased.tolist()]
    return _in_blocks(flags, folds)


def _among(points: NDArray[np.uint32], members: Iterable[str]) -> NDArray[np.bool_]:
    return np.isin(points, [ord(character) for character in members])


def _in_blocks(flags: NDArray[np.uint16], folds: NDArray[np.uint32]) -> Characters:
    """Each different block of 256 code points is kept once; most of Unicode is one block of nothing."""
    number: dict[bytes, int] = {}
    changes = (folds - np.arange(_CODE_POINTS, dtype=np.uint32)).reshape(-1, _BLOCK)
    flags = flags.reshape(-1, _BLOCK)
    block = [number.setdefault(f.tobytes() + c.tobytes(), len(number)) for f, c in zip(flags, changes, strict=True)]
    _, first = np.unique(block, return_index=True)
    return Characters(
        np.array(block, np.uint16), flags[first].reshape(-1), changes[first].astype(np.uint32).reshape(-1)
    )


@inner
def decode(data: NDArray[np.uint8], i: int) -> tuple[int, int]:
    """The code point at byte `i` of valid UTF-8, and where the next one starts."""
    first = np.int64(data[i])
    if first < 0x80:
        return first, i + 1
    second = np.int64(data[i + 1]) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, i + 2
    third = np.int64(data[i + 2]) & 0x3F
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | third, i + 3
    return (first & 0x07) << 18 | second << 12 | third << 6 | np.int64(data[i + 3]) & 0x3F, i + 4


@inner
def _place(point: int, characters: Characters) -> np.uint64:
    # Unsigned, so that no index has to be asked whether it counts from the end.
    if point < 128:
        return np.uint64(point)
    return np.uint64(characters.block[np.uint64(point >> 8)]) << np.uint64(8) | np.uint64(point & 255)


@inner
def flags_of(point: int, characters: Characters) -> int:
    return np.int64(characters.flags[_place(point, characters)])


@inner
def folded(point: int, characters: Characters) -> int:
    return (point + np.int64(characters.fold[_place(point, characters)])) & 0xFFFFFFFF
