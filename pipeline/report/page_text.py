"""Text from the web on a page: escaped, with what cannot be seen made visible, and kept from turning its neighbours.

What goes in: any text. What comes out: text that HTML allows, or `Markup` whose every piece is escaped. What stays
true: no character of a text becomes markup, and none acts on what stands beside it.
"""

import re
import unicodedata
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.plots import short
from pipeline.web_text import visible

_WEB = re.compile(r"https?://[\w.-]+(:\d+)?([/?#]|$)", re.IGNORECASE)


def shown(text: str) -> str:
    """The text with control characters as escapes; lines and spaces stay what they are."""
    return text if text.isprintable() else "".join(map(_character, text))


def _character(character: str) -> str:
    if character in "\n\t":
        return character
    return " " if unicodedata.category(character) == "Zs" else visible(character)


def isolated(text: str) -> Markup:
    """The text between marks that keep its writing direction inside."""
    return Markup("<bdi>{}</bdi>").format(shown(text))


def breakable(name: str) -> Markup:
    """A name of our own that may go on in another line after each of its underscores."""
    return Markup("_<wbr>").join(shown(name).split("_"))


def address(url: str, most: int) -> Markup:
    """A URL of `most` characters at most, which leads somewhere only if it is one of the web."""
    words = isolated(url if len(url) <= most else url[: most - 1] + "…")
    # A link that was cut or rewritten would lead elsewhere.
    if not _WEB.match(url) or len(url) > most or not url.isprintable():
        return words
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, words)


def marked(text: str, marks: Sequence[Sequence[int]], most: int) -> Markup:
    """The first `most` characters of an excerpt, with the passages from `marks`, which are in order, marked."""
    pieces, at = [], 0
    for start, end in marks:
        if start < most:
            pieces += [
                escape(shown(text[at:start])),
                Markup("<mark>{}</mark>").format(shown(text[start : min(end, most)])),
            ]
            at = min(end, most)
    pieces.append(escape(shown(text[at:most] + "…" * (len(text) > most))))
    return Markup("").join(pieces)


def environment() -> Environment:
    """Templates that escape all they are given."""
    found = Environment(
        loader=PackageLoader("pipeline", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: shown(value) if type(value) is str else value,
    )
    found.filters |= {
        "count": "{:,}".format,
        "percent": _percent,
        "megabytes": lambda size: f"{size / 1e6:,.2f}",
        "size": _size,
        "short": short,
        "breakable": breakable,
        "isolated": isolated,
        "address": address,
        "marked": marked,
    }
    return found


def _size(size: float) -> str:
    """Bytes in three digits."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:#.3g}".rstrip(".") + f" {name}"
    return f"{size:.0f} bytes"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"
