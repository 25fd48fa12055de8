"""Links to other sites in wikitext, with what they stand in: a cite template, a reference, or the text.

In comes a page's wikitext; out come URLs as MediaWiki would link them, by its rules for where a URL ends. Templates are
not expanded: what one makes of a number or a name (a DOI, an ISBN) is in the `externallinks` table alone. What stays
true: comments, <nowiki> and the like hold no links; and the time is linear in the text, whatever is not closed in it.
"""

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["cite", "reference", "template", "bracketed", "bare"]
# Where a link is a reference, rather than further reading, an official site or the like.
REFERENCES: frozenset[Kind] = frozenset(["cite", "reference"])


class Link(NamedTuple):
    """`kind` is "cite" in a cite template and "reference" elsewhere in a reference; outside of them "template",
    "bracketed" ([http://example.org text]) or "bare".
    """

    url: str
    kind: Kind


# What MediaWiki ends a URL at, and "{{", "}}", "|" and "''", which it has dealt with before it looks for URLs. A few
# templates are but a way to write "=" and "|" in a parameter.
_BODY = (
    r"(?:[^\]\[<>\"\x00-\x20\x7F\xA0\u1680\u2000-\u200A\u202F\u205F\u3000\uFFFD{}|']++"
    r"|\{\{[=!]\}\}|\{(?!\{)|\}(?!\})|'(?!'))++"
)
# Each alternative starts with a character that is rare, so the search skips to those; what is before a "//" is looked
# at when one was found.
_TOKEN = re.compile(
    rf"(?P<url>//{_BODY})"
    r"|\{\{(?:[=!]\}\}|(?P<template>\s*[^|{}\[\]<>\n]*))|(?P<close>\}\})"
    r"|<(?P<reference>[rR][eE][fF](?:\s[^<>]*)?/?|/[rR][eE][fF]\s*)>"
)
_SCHEME = re.compile(r"(?<!\w)https?:\Z", re.IGNORECASE)
_AFTER_PIPE = re.compile(rf"\|(?!\|){_BODY}")
_LABEL_END = re.compile(r"[\]\n]|\Z")
# Where a URL is all of a parameter.
_VALUE_STARTS, _VALUE_ENDS = re.compile(r"[=|]\s*\Z"), re.compile(r"\s*(?:\||\}\})")
# Not html.unescape, which takes "&copy=1" for a character too.
_ENTITY = re.compile(r"&(?:[a-zA-Z]+[0-9]*|#[0-9]+|#[xX][0-9a-fA-F]+);")
_ENDING_ENTITY = re.compile(r"&(?:lt|gt|nbsp|#x0*(?:3[ce]|a0)|#0*(?:60|62|160));", re.IGNORECASE)
_LAST_ENTITY = re.compile(r"&(?:[a-z]+|#x[0-9a-f]+|#[0-9]+);\Z", re.IGNORECASE)
_PUNCTUATION = ",;.:!?\\"

# Tags whose content is no wikitext, and comments.
_RAW = re.compile(
    r"<(?:!--|(?i:(nowiki|pre|math|chem|ce|source|syntaxhighlight|score|timeline|templatedata|graph|hiero))"
    r"(?:\s[^<>]*)?/?>)"
)

# How the names of templates that cite begin in the larger Wikipedias.
_CITES = re.compile(
    r"(?:template:|vorlage:|modèle:|шаблон:)?(?:cite|citation|cita|citar|citace|citeer|cytuj|citat|vcite|"
    r"internetquelle|literatur|lien web|ouvrage|article|kilde|webbref|bokref|tidskriftsref|verkkoviite|книга|статья|"
    r"публикация)(?![^\W_])",
    re.IGNORECASE,
)
_NOTES = re.compile(r"(?:#tag:ref|refn|efn|notetag)(?![\w])", re.IGNORECASE)


def links(wikitext: str) -> Iterator[Link]:
    """The links to http and https, in order and with repeats; one that begins with "//" gets "http:"."""
    if "//" not in wikitext:
        return
    text = _without_raw(wikitext)
    # The kinds of links that the open templates hold; those before `outer` are around the reference that is open.
    templates: list[Kind] = []
    outer, reference, taken, labelled, stop = 0, False, 0, 0, -1
    for token in _TOKEN.finditer(text):
        start = token.start()
        if start < taken:
            continue
        # A reference's content is parsed on its own, so a template around it is not what a link in it is in.
        inside = templates[-1] if len(templates) > outer else None
        if token["url"]:
            url, is_bracketed, taken = _url(text, start, token.end(), inside is not None)
            if start >= labelled and not url.endswith("//"):
                if is_bracketed and stop < taken:
                    stop = _LABEL_END.search(text, taken).start()  # type: ignore[union-attr]
                # A URL in the text of a link is text.
                labelled = stop if is_bracketed and text.startswith("]", stop) else labelled
                outside: Kind = "bracketed" if is_bracketed else "bare"
                yield Link(url, inside or ("reference" if reference else outside))
        elif token["template"] is not None:
            name = token["template"].strip()
            templates.append(_kind(name, inside or ("reference" if reference else "template")))
        elif token["close"]:
            if inside:
                templates.pop()
        elif token["reference"] and not token["reference"].endswith("/"):
            # What a reference has left open ends with it.
            del templates[outer if reference else len(templates) :]
            reference = not token["reference"].startswith("/")
            outer = len(templates) if reference else 0


@lru_cache(maxsize=1 << 14)
def _kind(template: str, around: Kind) -> Kind:
    """What links in a template are, by its name and what it is in."""
    if around == "cite" or _CITES.match(template):
        return "cite"
    return "reference" if _NOTES.match(template) else around


def _url(text: str, slashes: int, end: int, in_template: bool) -> tuple[str, bool, int]:
    """The URL whose "//" is at `slashes`, "//" if it is no link; whether it is in brackets; and where to look on.

    Outside of templates a "|" is part of a URL; `end` is before the first one.
    """
    while not in_template and (more := _AFTER_PIPE.match(text, end)):
        end = more.end()
    scheme = _SCHEME.search(text, max(0, slashes - 6), slashes)
    start = scheme.start() if scheme else slashes
    is_bracketed = text.startswith("[", start - 1)
    is_value = in_template and bool(_VALUE_STARTS.search(text, max(0, start - 20), start))
    if not (scheme or is_bracketed or is_value):
        return "//", False, slashes + 2
    url = text[start:end]
    if cut := _ENDING_ENTITY.search(url):
        url = url[: cut.start()]
    if not (is_bracketed or (is_value and _VALUE_ENDS.match(text, end))):
        url = _without_punctuation(url)
    if not scheme:
        url = f"http:{url}"
    if "{{" in url:
        url = url.replace("{{=}}", "=").replace("{{!}}", "|")
    if "&" in url:
        url = _ENTITY.sub(lambda entity: html.unescape(entity[0]), url)
    return url, is_bracketed, end


def _without_punctuation(url: str) -> str:
    """A bare URL without what ends the sentence, where MediaWiki draws the line (Parser::makeFreeExternalLink)."""
    left = url.rstrip(_PUNCTUATION if "(" in url else _PUNCTUATION + ")")
    # The ";" of a character's name is part of it.
    if url.startswith(";", len(left)) and _LAST_ENTITY.search(left + ";"):
        left += ";"
    return left


def _without_raw(text: str) -> str:
    """The text without comments, and with a space for each tag whose content is no wikitext."""
    pieces: list[str] = []
    place, unclosed = 0, set[str]()
    while tag := _RAW.search(text, place):
        name = (tag[1] or "--").lower()
        pieces.append(text[place : tag.start()])
        place = tag.end()
        if not tag[1]:
            # A comment that is not closed goes to the end of the page.
            end = text.find("-->", place)
            place = end + 3 if end >= 0 else len(text)
        elif tag[0].endswith("/>"):
            pieces.append(" ")
        elif name not in unclosed and (closing := _closing(name).search(text, place)):
            pieces.append(" ")
            place = closing.end()
        else:
            # It is text then, and so are all of its name that follow.
            unclosed.add(name)
            pieces.append(tag[0])
    return "".join([*pieces, text[place:]]) if pieces else text


@lru_cache
def _closing(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}\s*>", re.IGNORECASE)
