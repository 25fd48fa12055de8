"""How a document's text is split and counted, once, for every family of rules that asks.

In comes a string, out come words, lines and counts of them. A word is what `str.split` gives and a line what
`str.splitlines` gives. All lengths are in code points, so the numbers do not depend on an encoding.
"""

import re
import string
from collections.abc import Sequence
from functools import cached_property


def _code_points(ranges: str) -> str:
    """The characters of hexadecimal ranges: "21 7f-81" is four of them."""
    bounds = [entry.split("-") for entry in ranges.split()]
    return "".join(chr(point) for pair in bounds for point in range(int(pair[0], 16), int(pair[-1], 16) + 1))


# What ends a sentence in any script, as in datatrove 0.10.1: Unicode 15's Sentence_Terminal give or take a few signs.
TERMINALS = frozenset(
    _code_points(
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
    + _code_points(
        "0-8 b-1f 7f-9f ab b4 bb 2013-2014 2019 201c-201e 2026 2236 2501 25ba 3001 3008-300d 3010-3011 ff05 ff08-ff09 "
        "ff0c ff11 ff1a-ff1b ff5e"
    )
)

_SENTENCE_BOUNDARY = re.compile(r"""[.!?]["'”’»)\]]*\s""")


class Text:
    """A document's text with the splits that more than one family needs, each made at most once."""

    def __init__(self, content: str) -> None:
        self.content = content

    @cached_property
    def words(self) -> list[str]:
        return self.content.split()

    @cached_property
    def lines(self) -> list[str]:
        return self.content.splitlines()


def count_sentences(line: str) -> int:
    """The sentences in one line of text: at least one, and one more at every boundary inside it.

    A boundary is one of . ! ? with any closing quotes and brackets after it, and then whitespace: what an abbreviation
    costs ("e.g. this" counts two) is the price of a rule that needs no model and one pass.
    """
    return 1 + len(_SENTENCE_BOUNDARY.findall(line.strip()))


def duplicates(parts: Sequence[str]) -> tuple[int, int]:
    """How many of the parts repeat an earlier one, and how many characters these hold together."""
    unique = set(parts)
    return len(parts) - len(unique), sum(map(len, parts)) - sum(map(len, unique))
