"""Text that came from the web, on a terminal or in a pipe.

What stays true: it reaches the terminal as plain text: no markup, no control character, nothing that turns the writing
direction of what follows; and a line of it ends where ours does.
"""

import re
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

# They join letters in Persian and in Indic scripts, and emoji; str.isprintable counts them with the invisible ones.
JOINERS = "\u200c\u200d"
# Around a marked passage where there is no colour.
BRACKETS = "[[", "]]"
# Tabs and the like; as escapes they would be all that one sees of some pages.
_BLANK = re.compile(r"[^\S\n]")
MARK = "bold black on yellow"


def visible(text: str) -> str:
    """The text with what has no shape or moves others, such as control characters, as escapes."""
    return "".join(c if c.isprintable() or c in JOINERS else ascii(c)[1:-1] for c in text)


def url_line(screen: Console, url: str) -> Text:
    """A URL, without its middle where a terminal has no room for it; whoever reads a pipe gets all of it."""
    shown = visible(url)
    if screen.is_terminal:
        shown = _without_middle(shown, screen.width - 2)
    return Text.assemble("  ", (shown, "cyan"))


def _without_middle(text: str, width: int) -> str:
    """What tells URLs apart is often at their end."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    return set_cell_size(text, width - 1 - tail) + "…" + set_cell_size(text[::-1], tail)[::-1]


def marked(screen: Console, text: str, marks: Sequence[tuple[int, int]]) -> Text:
    """The text line by line behind a bar, with the passages from `marks` in colour, or in BRACKETS without colour."""
    coloured = screen.color_system is not None and not screen.no_color
    begin, end = ("", "") if coloured else BRACKETS
    whole = Text()
    place = 0
    for start, stop in marks:
        whole.append(_lines(text[place:start]))
        whole.append(begin + _lines(text[start:stop]) + end, MARK if coloured else None)
        place = stop
    whole.append(_lines(text[place:]))
    shown = Text()
    for line in whole.split("\n", allow_blank=True):
        shown.append("  │ ", "dim").append_text(line).append("\n")
    shown.right_crop()
    return shown


def _lines(text: str) -> str:
    return "\n".join(map(visible, _BLANK.sub(" ", text).split("\n")))
