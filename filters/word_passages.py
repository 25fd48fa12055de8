"""Characters, words and words in a row, as the rules of Gopher and plain counts are measured on them.

In comes a text as a family saw it, out come the places that its signal counts. What stays true: marked are exactly
those, but for word lengths, to which all words add and of which the most telling are marked.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from filters import languages
from filters.seen import Finder, Seen, Span, counted
from kernels.words import HAS_LETTER, ONLY_SYMBOLS

# So many words show what a mean is made of.
_TELLING_WORDS = 20


def each(pattern: str) -> Finder:
    """Every match of a regular expression."""
    expression = re.compile(pattern)
    return lambda seen: ((match.span() for match in expression.finditer(seen.text)), "")


def runs_of(counts: Callable[[str], bool]) -> Finder:
    """Runs of characters that count."""

    def find(seen: Seen) -> tuple[Iterable[Span], str]:
        return _runs(seen.text, counts), ""

    return find


def _runs(text: str, counts: Callable[[str], bool]) -> Iterator[Span]:
    start = 0
    for wanted, run in groupby(text, counts):
        end = start + sum(1 for _ in run)
        if wanted:
            yield start, end
        start = end


def shortest_words(seen: Seen) -> tuple[Iterable[Span], str]:
    return _by_length(seen)[:_TELLING_WORDS], _mean_length(seen)


def longest_words(seen: Seen) -> tuple[Iterable[Span], str]:
    return _by_length(seen)[-_TELLING_WORDS:], _mean_length(seen)


def _by_length(seen: Seen) -> list[Span]:
    """The words whose lengths count, the shortest first."""
    spoken = (seen.texts.words.flags & ONLY_SYMBOLS == 0).tolist()
    words = [word for word, counts in zip(seen.words, spoken, strict=True) if counts]
    return sorted(words, key=lambda word: word[1] - word[0])


def _mean_length(seen: Seen) -> str:
    return (
        f"{counted(int(seen.signals['words']), 'word')}, {seen.signals['mean_word_length']:.1f} characters on average"
    )


def words_without_letters(seen: Seen) -> tuple[Iterable[Span], str]:
    lettered = (seen.texts.words.flags & HAS_LETTER != 0).tolist()
    found = [word for word, has_letter in zip(seen.words, lettered, strict=True) if not has_letter]
    return found, f"{len(found):,} of {counted(len(lettered), 'word')} without a letter"


def stop_words(seen: Seen) -> tuple[Iterable[Span], str]:
    """Those that are there, wherever they stand; each counts once."""
    known = languages.load()
    label = seen.language if seen.family.parameters["by_language"] and seen.language in known else "en"
    wanted = set(known[label or "en"].stop_words)
    found = [(start, end) for start, end in seen.words if seen.text[start:end] in wanted]
    different = sorted({seen.text[start:end] for start, end in found})
    note = counted(len(different), "stop word")
    return found, f"{note}: {', '.join(different)}" if different else note


def top_ngram(n: int) -> Finder:
    """All places of the n words in a row that occur most often, the first met among equals."""

    def find(seen: Seen) -> tuple[Iterable[Span], str]:
        grams = list(_ngrams(seen, n))
        if not grams:
            return (), ""
        [(top, times)] = Counter(gram for gram, _ in grams).most_common(1)
        return (span for gram, span in grams if gram == top), f"“{' '.join(top)}”, {counted(times, 'time')}"

    return find


def duplicate_ngrams(n: int) -> Finder:
    """N words in a row that were there before, compared run together; the words of a repeat are passed over."""

    def find(seen: Seen) -> tuple[Iterable[Span], str]:
        known, found, resume = set(), [], 0
        for place, (gram, span) in enumerate(_ngrams(seen, n)):
            if place < resume:
                continue
            letters = "".join(gram)
            if letters in known:
                found.append(span)
                resume = place + n
            known.add(letters)
        return found, ""

    return find


def _ngrams(seen: Seen, n: int) -> Iterator[tuple[tuple[str, ...], Span]]:
    """All n words in a row, with where they are."""
    words = [seen.text[start:end] for start, end in seen.words]
    for place in range(len(words) - n + 1):
        yield tuple(words[place : place + n]), (seen.words[place][0], seen.words[place + n - 1][1])
