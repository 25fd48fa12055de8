"""The passages of a text that a rule's signal was measured on: what a person would want marked.

In come a family, one of its rules and a text as the family saw it; out come places in the text, and a sentence for what
has no place ("42 words"). What stays true: every rule of every family has an entry in FINDERS; places are sorted, apart
and inside the text; whatever the text, there is an answer. A family that needs files is to be one that was resolved
with them (`rules.resolve`, or `rules.as_measured` for what a run kept).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from unicodedata import category

from corpus import storage
from filters import classifier_rule, datatrove_filters, line_passages, list_passages, word_passages
from filters.family import Family, Rule
from filters.rules import measure
from filters.seen import Finder, Seen, Span, said
from kernels import repetition
from kernels.texts import Texts

_ELSEWHERE = "…"

FINDERS: Mapping[str, Finder] = {
    "gopher_too_few_words": said("words", "word"),
    "gopher_too_many_words": said("words", "word"),
    "gopher_words_too_short": word_passages.shortest_words,
    "gopher_words_too_long": word_passages.longest_words,
    "gopher_too_many_hashes": word_passages.each("#"),
    "gopher_too_many_ellipses": word_passages.each(r"\.\.\.|…"),
    "gopher_too_many_bullet_lines": line_passages.bullet_lines,
    "gopher_too_many_ellipsis_lines": line_passages.ellipsis_lines,
    "gopher_too_few_alpha_words": word_passages.words_without_letters,
    "gopher_too_few_stop_words": word_passages.stop_words,
    "gopher_empty": said("characters", "character"),
    "gopher_duplicate_paragraphs": line_passages.duplicate_paragraphs,
    "gopher_duplicate_paragraph_characters": line_passages.duplicate_paragraphs,
    "gopher_duplicate_lines": line_passages.duplicate_lines,
    "gopher_duplicate_line_characters": line_passages.duplicate_lines,
    **{f"gopher_dominant_{n}_gram": word_passages.top_ngram(n) for n in repetition.TOP},
    **{f"gopher_duplicate_{n}_grams": word_passages.duplicate_ngrams(n) for n in repetition.DUPLICATE},
    "c4_lorem_ipsum": line_passages.lorem_ipsum,
    "c4_curly_bracket": line_passages.curly_brackets,
    "c4_too_few_sentences": line_passages.sentence_ends,
    "fineweb_empty": said("lines", "line"),
    "fineweb_too_few_punctuated_lines": line_passages.lines_whose("punctuated_line_ratio", 0),
    "fineweb_too_many_short_lines": line_passages.lines_whose("short_line_ratio", 1),
    "fineweb_too_many_duplicate_characters": line_passages.duplicate_filled_lines,
    "fineweb_too_many_newlines": line_passages.new_lines,
    "refinedweb_too_many_words_removed": line_passages.removed_lines,
    "counts_too_few_characters": said("characters", "character"),
    "counts_too_many_characters": said("characters", "character"),
    "counts_too_few_words": said("words", "word"),
    "counts_too_many_words": said("words", "word"),
    "counts_too_few_lines": said("lines", "line"),
    "counts_too_many_lines": said("lines", "line"),
    "counts_too_many_digits": word_passages.runs_of(str.isdecimal),
    "counts_too_many_uppercase": word_passages.runs_of(str.isupper),
    "counts_too_much_punctuation": word_passages.runs_of(lambda character: category(character)[0] == "P"),
    "counts_too_much_space": word_passages.runs_of(str.isspace),
    "blocked_url": list_passages.blocked_url,
    "bad_words": list_passages.listed_words,
    "bad_words_ratio": list_passages.listed_words,
    "contaminated": list_passages.shared_words,
    "contaminated_throughout": list_passages.shared_words,
    "mixed_language_too_little_of_main": list_passages.other_languages,
    "personal_data_too_many_emails": list_passages.personal("email"),
    "personal_data_too_many_ips": list_passages.personal("ip"),
    "personal_data_too_many_phones": list_passages.personal("phone"),
    "personal_data_too_many_cards": list_passages.personal("card"),
}


@dataclass(frozen=True)
class Passages:
    """`spans` say from which character to which, sorted and apart; `note` says what has no place, "" if they say all.

    Spans that only touch stay two, so that what is counted can be counted.
    """

    spans: Sequence[Span]
    note: str


def passages(family: Family, rule: Rule, text: str, language: str | None, url: str) -> Passages:
    """Where in `text`, as `family` saw it, is what made the rule fail."""
    if family.name.startswith((datatrove_filters.PREFIX, classifier_rule.PREFIX)):
        return Passages((), "")
    for file in _files(family):
        if not storage.exists(file):
            return Passages((), f"{file} is gone, so what was found with it cannot be marked")
    spans, note = FINDERS[rule.name](Seen(family, text, language, url))
    return Passages(_apart(spans), note)


def _files(family: Family) -> Iterable[str]:
    for name in family.files:
        given = family.parameters[name] or []
        yield from [given] if isinstance(given, str) else given


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Sorted, with those that overlap as one, and without empty ones."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        elif start < end:
            found.append((start, end))
    return found


def seen_by(families: Sequence[Family], index: int, text: str, language: str | None, url: str) -> str:
    """The text that family `index` measured: what those before it left of one that they all got."""
    rewriting = [family for family in families[:index] if family.rewrites]
    _, left = measure(Texts.of([text], [language], [url]), rewriting)
    return left.to_list()[0]


def excerpt(text: str, spans: Sequence[Span], most: int) -> tuple[str, list[Span]]:
    """At most `most` characters of the text around its first spans, and where these are in it.

    "…", which does not count, stands for what is left out on a side. No span is cut that there is room for.
    """
    start, end = _window(len(text), spans, most)
    before, after = _ELSEWHERE if start else "", _ELSEWHERE if end < len(text) else ""
    moved = len(before) - start
    shown = [(max(first, start) + moved, min(last, end) + moved) for first, last in spans if first < end]
    return before + text[start:end] + after, shown


def _window(size: int, spans: Sequence[Span], most: int) -> Span:
    """Where an excerpt of at most `most` characters of a text of `size` starts and ends."""
    if not spans or size <= most:
        return 0, min(size, most)
    first, last = spans[0]
    for _, end in spans:
        if end - first <= most:
            last = end
    if last - first >= most:
        return first, first + most
    # As much before as after, and more of the one where the other has not that much.
    start = max(0, min(first - (most - (last - first)) // 2, size - most))
    end = start + most
    cut = next((at for at, until in spans if at < end < until), end)
    return start, cut
