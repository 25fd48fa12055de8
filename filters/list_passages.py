"""What families find with lists, models and eval sets: bad words, blocked URLs, personal data, languages, shared words.

In comes a text as a family saw it, out come the places of what the family found, and what that was. What stays true:
it is looked for with the files that the family's parameters name, as they are now.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from filters import addresses, bad_words, decontamination, list_files, mixed_language
from filters.language import identify_batch
from filters.phrase_places import Trie, places
from filters.seen import Finder, Seen, Span, counted, stripped
from kernels import blocks, personal_data, phrase_trie, shared_grams
from kernels.texts import Texts

# What each placeholder stands for is made of this; the texts around it say where it ends.
_BLANK, _DASH = "[ \u00a0\u202f]", r"[-./\u2010-\u2013\uff0d]"
_OPEN, _CLOSE = "[(\uff08]", "[)\uff09]"
_PREFIX = rf"0[0-9]{{2,17}}{_BLANK}?{_DASH}{_BLANK}?{_OPEN}?"
_MADE_OF = {
    "[email]": re.compile(r"[^\s@]+@[^\s@]+"),
    "[ip]": re.compile(r"[0-9a-fA-F.:]{7,39}"),
    "[phone]": re.compile(
        rf"(?:\+|{_OPEN}){{0,2}}(?:{_PREFIX})?[0-9](?:{_CLOSE}?(?:{_BLANK}|{_DASH})?{_OPEN}?[0-9]){{0,18}}"
    ),
    "[card]": re.compile(r"[0-9](?:[ -]?[0-9]){11,18}"),
}
_PLACEHOLDER = re.compile(f"({'|'.join(map(re.escape, _MADE_OF))})")


def listed_words(seen: Seen) -> tuple[Iterable[Span], str]:
    """The bad words, each where it stands as a word."""
    parameters = seen.family.parameters
    language = seen.language if parameters["by_language"] else None
    wanted = [file for file in parameters["lists"] if not language or bad_words.language_of(file) in ("", language)]
    fingerprints = parameters.get("fingerprints", {})
    return places(seen.text, _trie(tuple((file, fingerprints.get(file, "")) for file in wanted))), ""


@cache
def _trie(files: tuple[tuple[str, str], ...]) -> Trie:
    """What finds the entries of files, each with a fingerprint, so that one that changed is read again."""
    return Trie.of(phrase_trie.of([entry for file, _ in files for _, entry in list_files.entries(file)]))


def blocked_url(seen: Seen) -> tuple[Iterable[Span], str]:
    """Which list has the page's host or URL; that is no place in its text."""
    lists = int(seen.signals["blocked"])
    if not lists:
        return (), f"{seen.url} is on no list"
    category, _, kind = seen.signals["by"].rpartition(".")
    part = addresses.parsed(seen.url).host if kind == "domain" else seen.url
    more = f", and {counted(lists - 1, 'list')} more" if lists > 1 else ""
    return (), f"{part} is on the list {category} ({kind.replace('_', ' ')}){more}"


def personal(kind: str) -> Finder:
    """Everything of one of the kinds of personal data."""

    def find(seen: Seen) -> tuple[Iterable[Span], str]:
        replace = seen.family.parameters["replace"]
        kinds = {kind, *([replace] if isinstance(replace, str) else replace)}
        # In capitals, what is no placeholder but text cannot be taken for one, and changes nothing that is found.
        text = _PLACEHOLDER.sub(lambda match: match[0].upper(), seen.text)
        _, replaced = personal_data.replace(Texts.of([text]), kinds)
        literals, placeholders = _parts(replaced.to_list()[0])
        found = zip(placeholders, _aligned(text, literals, placeholders), strict=True)
        return (span for placeholder, span in found if placeholder == f"[{kind}]"), ""

    return find


def _parts(replaced: str) -> tuple[list[str], list[str]]:
    """What is as it was, and the placeholders between."""
    parts = _PLACEHOLDER.split(replaced)
    return parts[::2], parts[1::2]


def _aligned(text: str, literals: Sequence[str], placeholders: Sequence[str]) -> list[Span]:
    """What of the text each placeholder stands for, if the literals around them are to be where they are in it.

    From left to right all ends that are possible, each with a start; and back from the end of the text along those.
    """
    starts, ways = {len(literals[0])}, []
    for placeholder, literal in zip(placeholders, literals[1:], strict=True):
        way: dict[int, int] = {}
        for start in sorted(starts):
            match = _MADE_OF[placeholder].match(text, start)
            for end in range(start + 1, match.end() + 1) if match else ():
                if text.startswith(literal, end):
                    way.setdefault(end, start)
        ways.append(way)
        starts = {end + len(literal) for end in way}
    found, after = [], len(text)
    for way, literal in zip(reversed(ways), reversed(literals), strict=False):
        end = after - len(literal)
        after = way[end]
        found.append((after, end))
    return found[::-1]


def shared_words(seen: Seen) -> tuple[Iterable[Span], str]:
    """The n-grams that eval sets have, and how many there are of each set."""
    given = seen.family.parameters
    if not given["against"]:
        return (), ""
    known = {name: given[name] for name in ("against", "fields", "ngram", "shortest", "fingerprints")}
    sets = decontamination.load(**known)
    words = shared_grams.count(seen.texts)
    matches = shared_grams.find(seen.texts, words, sets.index)
    last = matches.end - 1
    benchmarks = sets.benchmark[sets.index.item[matches.gram]].tolist()
    names = Counter(sets.sets[benchmark].name for benchmark in benchmarks)
    note = ", ".join(f"{counted(n, 'n-gram')} of {name}" for name, n in names.items())
    return seen.spans(words.start[matches.start], words.start[last] + words.size[last]), note


def other_languages(seen: Seen) -> tuple[Iterable[Span], str]:
    """The blocks of lines that are for sure in another language than most of the text."""
    given = seen.family.parameters
    parts, _, letters = blocks.cut(seen.texts, given["block_characters"])
    labels, scores = identify_batch(parts, given["model"][0] if given["model"] else None)
    counts = np.where(scores >= mixed_language.SURE, letters, 0).tolist()
    totals = Counter[str]()
    for label, count in sorted(zip(labels, counts, strict=True)):
        totals[label] += count
    shares = [(label, count / totals.total()) for label, count in totals.most_common() if count]
    spans = seen.spans(parts.offsets[:-1], parts.offsets[1:])
    found = [span for span, label, n in zip(spans, labels, counts, strict=True) if n and label != shares[0][0]]
    return (stripped(seen.text, span) for span in found), ", ".join(f"{share:.0%} {label}" for label, share in shares)
