"""Words a user does not want, in any language and script: how many a text holds, and a bound on that.

In come lists, a word or phrase a line ("#" starts a comment), such as LDNOOBW's files as they are: one for each
language, named by it. What counts as a match is in `kernels.phrases`. No list comes with crawlmill.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from filters import list_files
from filters.family import Columns, Family, Rule
from filters.language import known_languages
from kernels import phrase_trie, phrases
from kernels.texts import Texts

# LDNOOBW's names for languages that lid.176 calls otherwise, or does not know.
_NAMES = {"fil": "tl", "kab": "kab", "tlh": "tlh"}
_OTHER_MODELS_LABEL = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
_Files = tuple[tuple[str, str], ...]


def measure(
    texts: Texts, *, lists: Sequence[str], by_language: bool, fingerprints: Mapping[str, str] | None = None
) -> tuple[Columns, Texts]:
    """Signals of `bad_words`.

    matches: occurrences; different: how many different entries occur; ratio: the share of all words that a match is in
    or is a part of; first: the entry that occurs first, as its list has it, "" without any.
    With `by_language` a file that is named by a language (see `language_of`) is for documents of that language, any
    other for all; a document whose language is not known is looked at with all files.
    """
    files = tuple((file, (fingerprints or {}).get(file, "")) for file in lists)
    counts = np.zeros((len(texts), len(phrases.COLUMNS)), np.int64)
    first = np.full(len(texts), "", object)
    languages = np.array([language or "" for language in texts.languages], object)
    if not by_language:
        languages[:] = ""
    for language in sorted(set(languages.tolist())):
        entries, known = _lists(tuple(file for file in files if _is_for(file[0], language)))
        rows = np.flatnonzero(languages == language)
        counts[rows] = found = phrases.find(texts, rows, known)
        first[rows] = [entries[number] if number >= 0 else "" for number in found[:, -1].tolist()]
    matches, words, different, _ = counts.T
    ratio = words / np.maximum(np.diff(texts.words.first), 1)
    return {"matches": matches, "different": different, "ratio": ratio, "first": first}, texts


def check(*, lists: Sequence[str], by_language: bool, fingerprints: Mapping[str, str]) -> None:
    """Raises ValueError without lists, for a list without entries and for an entry that nothing can be equal to."""
    if not lists:
        raise ValueError('there is nothing to look for; name your lists, for example "lists: lists/en"')
    for file in lists:
        if not _entries(file, fingerprints[file]):
            raise ValueError(f"{file} has no entries; give a word or phrase a line, or leave the file out")


def language_of(file: str) -> str:
    """The language whose documents the list is for, from the file's name, "" if it is for all.

    A name is a language if its part before the first "-" ("fr-CA-u-sd-caqc") is a label of lid.176 or a name that
    LDNOOBW has for one of its languages, or if it looks like the labels of other models ("eng_Latn").
    """
    name = list_files.name(file)
    tag = name.split("-")[0]
    if tag in _labels() or _OTHER_MODELS_LABEL.fullmatch(name):
        return name if "_" in name else _NAMES.get(tag, tag)
    return ""


@cache
def _labels() -> frozenset[str]:
    return frozenset([*known_languages(), *_NAMES])


def _is_for(file: str, language: str) -> bool:
    """Whether a list is for documents of a language; "" is one that is not known."""
    return not language or language_of(file) in ("", language)


@cache
def _lists(files: _Files) -> tuple[list[str], phrase_trie.Phrases]:
    """The entries of lists, and what finds their numbers; languages that have the same lists share them."""
    entries = [entry for file, fingerprint in files for entry in _entries(file, fingerprint)]
    return entries, phrase_trie.of(entries)


@cache
def _entries(file: str, fingerprint: str) -> tuple[str, ...]:
    """The entries of a list; `fingerprint` has a file that changed read again."""
    found = []
    for number, entry in list_files.entries(file):
        if not phrase_trie.can_be_found(entry):
            raise ValueError(f"{file}, line {number}: {entry!r} has no character that shows; leave the line out")
        found.append(entry)
    return tuple(found)


_ORIGIN = "C4, arXiv:1910.10683, by a list of one's own"

FAMILY = Family(
    name="bad_words",
    measure=measure,
    signals={"matches": int, "different": int, "ratio": float, "first": str},
    rules=(
        Rule("bad_words", "matches", "max", 0, _ORIGIN),
        Rule("bad_words_ratio", "ratio", "max", None, "none: off unless the recipe sets it"),
    ),
    parameters={"lists": [], "by_language": True},
    files=("lists",),
    check=check,
)
