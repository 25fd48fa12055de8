"""Measures of a page's lines: FineWeb's (arXiv:2406.17557, section 3.6), and the plain counts of a text.

In come a batch of texts, its words and its lines; out comes a row of numbers a text.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import DIGIT, PUNCTUATION, SPACE, UPPER, Characters, characters, decode, flags_of
from kernels.compiled import kernel
from kernels.lines import BLANK, ENDS_SENTENCE, Lines, repeats
from kernels.texts import Texts
from kernels.words import Words

FINEWEB = ("lines", "punctuated_line_ratio", "short_line_ratio", "duplicate_character_ratio", "newline_ratio")
COUNTS = (
    "characters",
    "words",
    "lines",
    "digit_ratio",
    "uppercase_ratio",
    "punctuation_ratio",
    "space_ratio",
)


def measure_fineweb(texts: Texts, short_line: NDArray[np.int64]) -> NDArray[np.float64]:
    """A row of FINEWEB for each text; a line is what new lines part and is not blank. Without any, all ratios are 0.

    punctuated_line_ratio: lines whose last character ends a sentence in some script, to all lines. short_line_ratio:
    lines of at most `short_line[i]` code points to all lines. duplicate_character_ratio: code points of lines that
    repeat an earlier one, to those of the text without its new lines. newline_ratio: new lines to words.
    """
    out = np.zeros((len(texts), len(FINEWEB)))
    _measure_fineweb(texts.data, texts.words, texts.lines, short_line, out)
    return out


@kernel
def _measure_fineweb(
    data: NDArray[np.uint8], words: Words, lines: Lines, short_line: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    for text in range(len(out)):
        row, first, last = out[text], lines.first[text], lines.first[text + 1]
        chosen = np.empty(last - first, np.int64)
        n, punctuated, short, points = 0, 0, 0, 0
        for line in range(first, last):
            points += lines.points[line]
            if not lines.flags[line] & BLANK:
                chosen[n] = line
                n += 1
                punctuated += lines.flags[line] & ENDS_SENTENCE != 0
                short += lines.points[line] <= short_line[text]
        _, repeated = repeats(data, lines.start, lines.size, lines.points, lines.hash, chosen[:n])
        n_words = words.first[text + 1] - words.first[text]
        row[0] = n
        row[1] = punctuated / max(n, 1)
        row[2] = short / max(n, 1)
        row[3] = repeated / max(points, 1)
        row[4] = (last - first - 1) / n_words if n_words else 0.0


def count(texts: Texts) -> NDArray[np.float64]:
    """A row of COUNTS for each text.

    characters: code points. words; lines that are not blank. digit_ratio, uppercase_ratio, punctuation_ratio,
    space_ratio: code points of categories Nd, of `str.isupper`, of categories P* and of `str.isspace`, to all.
    """
    out = np.zeros((len(texts), len(COUNTS)))
    _count(texts.data, texts.offsets, characters(), texts.words, texts.lines, out)
    return out


@kernel
def _count(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    words: Words,
    lines: Lines,
    out: NDArray[np.float64],
) -> None:
    for text in range(len(out)):
        points, digits, upper, punctuation, spaces, filled = 0, 0, 0, 0, 0, 0
        i, end = offsets[text], offsets[text + 1]
        while i < end:
            point, i = decode(data, i)
            flags = flags_of(point, characters)
            points += 1
            digits += flags & DIGIT != 0
            upper += flags & UPPER != 0
            punctuation += flags & PUNCTUATION != 0
            spaces += flags & SPACE != 0
        for line in range(lines.first[text], lines.first[text + 1]):
            filled += not lines.flags[line] & BLANK
        row, total = out[text], max(points, 1)
        row[0] = points
        row[1] = words.first[text + 1] - words.first[text]
        row[2] = filled
        row[3] = digits / total
        row[4] = upper / total
        row[5] = punctuation / total
        row[6] = spaces / total
