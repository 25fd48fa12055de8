"""Lists of what a user does not want by its URL: domains, addresses, expressions and words, in UT1's formats.

In come URLs and lists (UT1's of Toulouse as they are, or of the same form), out come how many lists hold a URL, and the
category and kind of the first. What stays true: a domain is a host and its subdomains, whatever else ends in the same
letters; no file of millions of lines is kept as strings.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeVar
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from filters import addresses, list_files
from filters.family import Columns, Family, Rule
from kernels import host_lists
from kernels.texts import Texts

# Letters and digits of any script, as datatrove has them of ASCII; an underscore parts words.
_WORD = re.compile(r"[^\W_]+")
# RefinedWeb's list of soft words takes two of them (arXiv:2306.01116, section G.1).
SOFT_WORDS = 2
_KINDS = {"domains": "domain", "urls": "url", "expressions": "expression", "words": "word", "soft_words": "soft_word"}
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class _Pages:
    """The URLs of a batch in the forms in which lists look at them."""

    urls: list[str]
    hosts: list[str]
    addresses: list[str]
    host_sizes: NDArray[np.int64]

    @classmethod
    def of(cls, urls: Sequence[str | None]) -> "_Pages":
        known = [addresses.parsed(url or "") for url in urls]
        plain = [address.without_www for address in known]
        sizes = np.array([len(address.host.encode()) for address in plain], np.int64)
        return cls(
            [url or "" for url in urls],
            [address.host for address in known],
            [address.host + address.rest for address in plain],
            sizes,
        )

    @cached_property
    def words(self) -> list[set[str]]:
        """The words of each whole URL, what is encoded with % decoded, without case."""
        return [set(_WORD.findall(unquote(url).casefold())) for url in self.urls]


def measure(
    texts: Texts, *, allow: Sequence[str], fingerprints: Mapping[str, str] | None = None, **lists: Sequence[str]
) -> tuple[Columns, Texts]:
    """Signals of `blocked_urls`.

    blocked: how many lists hold the document's URL, 0 without a URL and on a domain of an `allow` list; by: the first
    of them, in the order of the parameters, as "category.kind" ("adult.domain"), "" if there is none.
    """
    known = fingerprints or {}
    pages = _Pages.of(texts.urls)
    blocked, by = np.zeros(len(texts), np.int64), np.full(len(texts), "", object)
    allowed = np.zeros(len(texts), np.bool_)
    for file in allow:
        allowed |= host_lists.hosts_in(pages.hosts, _domains(file, known.get(file, "")))
    for parameter, kind in _KINDS.items():
        for file in lists[parameter]:
            holds = _HOLDS[parameter](pages, file, known.get(file, "")) & ~allowed
            by[holds & (blocked == 0)] = f"{category(file, parameter)}.{kind}"
            blocked += holds
    return {"blocked": blocked, "by": by}, texts


def check(*, allow: Sequence[str], fingerprints: Mapping[str, str], **lists: Sequence[str]) -> None:
    """Raises ValueError without lists, and for a line of any list that is no entry of its kind."""
    if not any(lists.values()):
        raise ValueError(f'there is nothing to block; name lists, as "domains: ut1/*/domains" (or {", ".join(_KINDS)})')
    nothing = _Pages.of([])
    for file in allow:
        _domains(file, fingerprints[file])
    for parameter, files in lists.items():
        for file in files:
            _HOLDS[parameter](nothing, file, fingerprints[file])


def category(file: str, parameter: str) -> str:
    """What a list is of: the name of the folder for a file that is called as UT1's are ("adult/domains"), else the
    file's own, with "_" for what is no letter, digit, "-" or "_".
    """
    name = list_files.name(file)
    if name == parameter:
        name = list_files.folder(file) or name
    return re.sub(r"[^\w-]", "_", name)


def _in_domains(pages: _Pages, file: str, fingerprint: str) -> NDArray[np.bool_]:
    return host_lists.hosts_in(pages.hosts, _domains(file, fingerprint))


def _in_urls(pages: _Pages, file: str, fingerprint: str) -> NDArray[np.bool_]:
    listed, longest = _addresses(file, fingerprint)
    return host_lists.addresses_in(pages.addresses, pages.host_sizes, listed, longest)


def _in_expressions(pages: _Pages, file: str, fingerprint: str) -> NDArray[np.bool_]:
    expressions = _expressions(file, fingerprint)
    return np.array([any(e.search(url) for e in expressions) for url in pages.urls], np.bool_)


def _in_words(pages: _Pages, file: str, fingerprint: str) -> NDArray[np.bool_]:
    listed = _words(file, fingerprint)
    return np.array([not listed.isdisjoint(words) for words in pages.words], np.bool_)


def _in_soft_words(pages: _Pages, file: str, fingerprint: str) -> NDArray[np.bool_]:
    listed = _words(file, fingerprint)
    return np.array([len(listed & words) >= SOFT_WORDS for words in pages.words], np.bool_)


# What a URL is in a list of, for each parameter; a `fingerprint` has a file that changed read again.
_HOLDS: Mapping[str, Callable[[_Pages, str, str], NDArray[np.bool_]]] = {
    "domains": _in_domains,
    "urls": _in_urls,
    "expressions": _in_expressions,
    "words": _in_words,
    "soft_words": _in_soft_words,
}


@cache
def _domains(file: str, fingerprint: str) -> NDArray[np.uint64]:
    """The hashes of a list of domains, sorted. What is no plain host in lower case is looked at here."""
    data = list_files.read(file)
    hashes, others = host_lists.hash_lines(np.frombuffer(data, np.uint8))
    lines = ((n, list_files.decoded(data[start:end], file, n)) for n, start, end in others.tolist())
    domains = list(_parsed(file, ((n, line) for n, line in lines if line), addresses.domain_on))
    return np.sort(np.concatenate([hashes, host_lists.hash_strings(domains)]))


@cache
def _addresses(file: str, fingerprint: str) -> tuple[NDArray[np.uint64], int]:
    """The hashes of a list of addresses, sorted, and how many bytes the longest has."""
    found = [a.without_www for a in _parsed(file, list_files.entries(file), addresses.address_on)]
    whole = [address.host + address.rest for address in found]
    return np.sort(host_lists.hash_strings(whole)), max((len(a.encode()) for a in whole), default=0)


@cache
def _expressions(file: str, fingerprint: str) -> tuple[re.Pattern[str], ...]:
    return tuple(_parsed(file, list_files.entries(file), _compiled))


@cache
def _words(file: str, fingerprint: str) -> frozenset[str]:
    return frozenset(_parsed(file, list_files.entries(file), _word_on))


def _compiled(line: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        # POSIX classes such as [[:alpha:]] are another thing to Python, which warns of them.
        warnings.simplefilter("error")
        try:
            return re.compile(line, re.IGNORECASE)
        except (re.error, FutureWarning) as error:
            raise ValueError(f"is no regular expression of Python's ({error}); mend it or leave it out") from error


def _word_on(line: str) -> str:
    word = line.casefold()
    if not _WORD.fullmatch(word):
        raise ValueError("is no single word; write letters and digits alone, a word a line")
    return word


def _parsed(file: str, entries: Iterator[tuple[int, str]], parse: Callable[[str], Entry]) -> Iterator[Entry]:
    """What lines stand for. Raises ValueError with the place of the first that stands for nothing."""
    for number, line in entries:
        try:
            yield parse(line)
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {line!r} {error}") from error


FAMILY = Family(
    name="blocked_urls",
    measure=measure,
    signals={"blocked": int, "by": str},
    rules=(Rule("blocked_url", "blocked", "max", 0, "none: a list of one's own", detail="by"),),
    parameters={**{parameter: [] for parameter in _KINDS}, "allow": []},
    files=(*_KINDS, "allow"),
    check=check,
)
