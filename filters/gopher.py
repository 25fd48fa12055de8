"""The rules of Gopher (Rae et al. 2021, arXiv:2112.11446, section A1): quality of the prose, and repetition in it.

In comes a text, out come its numbers; the text is not changed. What the paper leaves open (what a line is, what counts
as a word, what a ratio is of) is as in datatrove 0.10.1, so that pages get the verdicts FineWeb's pipeline gave.
A ratio of nothing is 0: a document without words or lines has no share of them that could be bad.
"""

import re
from collections import Counter
from collections.abc import Iterator

from filters.family import Family, Rule, Values
from filters.text import SYMBOLS, Text, duplicates

_STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_ORIGIN = "Gopher, arXiv:2112.11446"
_TABLE_A1 = f"{_ORIGIN}, table A1"
_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_LINE_BREAK = re.compile(r"\n+")


def measure_quality(text: Text) -> tuple[Values, Text]:
    """Signals of `gopher_quality`.

    words, mean_word_length (code points): of words that are more than punctuation; 0.0 where there are none.
    hash_ratio, ellipsis_ratio: "#", and "..." or "…", to all words.
    bullet_line_ratio, ellipsis_line_ratio: lines (of `str.splitlines`) that start with "-" or "•", that end with
    "..." or "…", to all lines. alpha_word_ratio: words with a letter to all words.
    stop_words: how many of the eight English ones occur.
    """
    content, words, lines = text.content, text.words, text.lines
    lengths = [len(word) for word in words if word.strip(SYMBOLS)]
    n_words, n_lines = max(len(words), 1), max(len(lines), 1)
    return {
        "words": len(lengths),
        "mean_word_length": sum(lengths) / max(len(lengths), 1),
        "hash_ratio": content.count("#") / n_words,
        "ellipsis_ratio": (content.count("...") + content.count("…")) / n_words,
        "bullet_line_ratio": sum(line.lstrip().startswith(("•", "-")) for line in lines) / n_lines,
        "ellipsis_line_ratio": sum(line.rstrip().endswith(("...", "…")) for line in lines) / n_lines,
        "alpha_word_ratio": sum(any(map(str.isalpha, word)) for word in words) / n_words,
        "stop_words": len(_STOP_WORDS.intersection(words)),
    }, text


def measure_repetition(text: Text) -> tuple[Values, Text]:
    """Signals of `gopher_repetition`; every character ratio is to the code points of the whole text.

    characters: code points in the text.
    duplicate_paragraph_ratio, duplicate_line_ratio: repeats of an earlier one to all; paragraphs are split at two or
    more new lines of the stripped text, lines at one or more. ..._character_ratio: the characters in these repeats.
    top_N_gram_ratio: characters (its spaces too) of the N words in a row that occur most often, times how often.
    duplicate_N_gram_ratio: characters (without spaces) of N words in a row that were there before.
    """
    content = text.content
    n_characters = max(len(content), 1)
    values: Values = {"characters": len(content)}
    paragraphs = _PARAGRAPH_BREAK.split(content.strip())
    for kind, parts in ("paragraph", paragraphs), ("line", _LINE_BREAK.split(content)):
        repeats, characters = duplicates(parts)
        values[f"duplicate_{kind}_ratio"] = repeats / len(parts)
        values[f"duplicate_{kind}_character_ratio"] = characters / n_characters
    for n in _TOP:
        values[f"top_{n}_gram_ratio"] = _top_ngram_characters(text.words, n) / n_characters
    for n in _DUPLICATE:
        values[f"duplicate_{n}_gram_ratio"] = _duplicate_ngram_characters(text.words, n) / n_characters
    return values, text


def _ngrams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(n)), strict=False)


def _top_ngram_characters(words: list[str], n: int) -> int:
    """Of equally frequent ones the first met counts, and one that occurs once counts too."""
    counts = Counter(_ngrams(words, n))
    if not counts:
        return 0
    top = max(counts, key=counts.__getitem__)
    return (sum(map(len, top)) + n - 1) * counts[top]


def _duplicate_ngram_characters(words: list[str], n: int) -> int:
    """A repeat is counted whole and its n words passed over, so no character counts twice.

    The words are compared run together, as datatrove does: "a bc" repeats "ab c".
    """
    seen = set()
    characters = resume = 0
    for start, ngram in enumerate(map("".join, _ngrams(words, n))):
        if start < resume:
            continue
        if ngram in seen:
            characters += len(ngram)
            resume = start + n
        else:
            seen.add(ngram)
    return characters


QUALITY = Family(
    name="gopher_quality",
    measure=measure_quality,
    signals={
        "words": int,
        "mean_word_length": float,
        "hash_ratio": float,
        "ellipsis_ratio": float,
        "bullet_line_ratio": float,
        "ellipsis_line_ratio": float,
        "alpha_word_ratio": float,
        "stop_words": int,
    },
    rules=(
        Rule("gopher_too_few_words", "words", "min", 50, _ORIGIN),
        Rule("gopher_too_many_words", "words", "max", 100_000, _ORIGIN),
        Rule("gopher_words_too_short", "mean_word_length", "min", 3, _ORIGIN),
        Rule("gopher_words_too_long", "mean_word_length", "max", 10, _ORIGIN),
        Rule("gopher_too_many_hashes", "hash_ratio", "max", 0.1, _ORIGIN),
        Rule("gopher_too_many_ellipses", "ellipsis_ratio", "max", 0.1, _ORIGIN),
        Rule("gopher_too_many_bullet_lines", "bullet_line_ratio", "max", 0.9, _ORIGIN),
        Rule("gopher_too_many_ellipsis_lines", "ellipsis_line_ratio", "max", 0.3, _ORIGIN),
        Rule("gopher_too_few_alpha_words", "alpha_word_ratio", "min", 0.8, _ORIGIN),
        Rule("gopher_too_few_stop_words", "stop_words", "min", 2, _ORIGIN),
    ),
)


def _repetition_rules() -> Iterator[Rule]:
    yield Rule("gopher_empty", "characters", "min", 1, "datatrove 0.10.1")
    for kind in "paragraph", "line":
        yield Rule(f"gopher_duplicate_{kind}s", f"duplicate_{kind}_ratio", "max", 0.30, _TABLE_A1)
        yield Rule(f"gopher_duplicate_{kind}_characters", f"duplicate_{kind}_character_ratio", "max", 0.20, _TABLE_A1)
    for n, bound in _TOP.items():
        yield Rule(f"gopher_dominant_{n}_gram", f"top_{n}_gram_ratio", "max", bound, _TABLE_A1)
    for n, bound in _DUPLICATE.items():
        yield Rule(f"gopher_duplicate_{n}_grams", f"duplicate_{n}_gram_ratio", "max", bound, _TABLE_A1)


_REPETITION_RULES = tuple(_repetition_rules())

REPETITION = Family(
    name="gopher_repetition",
    measure=measure_repetition,
    signals={rule.signal: int if rule.signal == "characters" else float for rule in _REPETITION_RULES},
    rules=_REPETITION_RULES,
)
