"""Verdict, first reason and rewritten text against datatrove 0.10.1, given the same words and sentences.

On made-up texts every signal is compared to the last bit too: with its bound at our number datatrove must pass the
text, and with the bound one float further it must drop it.
"""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import (
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter, get_filter_result
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION
from datatrove.utils.word_tokenizers import WordTokenizer
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text

from filters import rules
from filters.family import Family
from kernels.characters import SYMBOLS, TERMINALS
from kernels.texts import Texts
from tests.kernels import twins

# The families that are datatrove's too.
FAMILIES = ["c4", "fineweb", "gopher_quality", "gopher_repetition"]

PAGES = Path(__file__).parents[2].parent / "shared/data/pages"
# Every sixth of the 2,790 real pages; all of them agree, in 80 seconds with a stride of 1.
STRIDE = 6


class OurSplits(WordTokenizer):  # type: ignore[misc]
    def word_tokenize(self, text: str) -> list[str]:
        return twins.words(text)

    def sent_tokenize(self, text: str) -> list[str]:
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        # The filters only count the spans.
        return [(0, 0)] * twins.count_sentences(text)


SPLITS = OurSplits()

# datatrove's reason for each of our rules.
REASONS = {
    "gopher_too_few_words": "gopher_short_doc",
    "gopher_too_many_words": "gopher_long_doc",
    "gopher_words_too_short": "gopher_below_avg_threshold",
    "gopher_words_too_long": "gopher_above_avg_threshold",
    "gopher_too_many_hashes": "gopher_too_many_hashes",
    "gopher_too_many_ellipses": "gopher_too_many_ellipsis",
    "gopher_too_many_bullet_lines": "gopher_too_many_bullets",
    "gopher_too_many_ellipsis_lines": "gopher_too_many_end_ellipsis",
    "gopher_too_few_alpha_words": "gopher_below_alpha_threshold",
    "gopher_too_few_stop_words": "gopher_enough_stop_words",
    "gopher_empty": "empty",
    "gopher_duplicate_paragraphs": "dup_para_frac",
    "gopher_duplicate_paragraph_characters": "dup_para_char_frac",
    "gopher_duplicate_lines": "dup_line_frac",
    "gopher_duplicate_line_characters": "dup_line_char_frac",
    **{f"gopher_dominant_{n}_gram": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"gopher_duplicate_{n}_grams": f"duplicated_{n}_n_grams" for n in (5, 6, 7, 8, 9, 10)},
    "c4_lorem_ipsum": "lorem_ipsum",
    "c4_curly_bracket": "curly_bracket",
    "c4_too_few_sentences": "too_few_sentences",
    "fineweb_empty": "empty",
    "fineweb_too_few_punctuated_lines": "line_punct_ratio",
    "fineweb_too_many_short_lines": "short_line_ratio",
    "fineweb_too_many_duplicate_characters": "char_dup_ratio",
    "fineweb_too_many_newlines": "list_ratio",
}


def theirs(family: Family) -> BaseFilter:
    """datatrove's filter with the bounds and parameters of ours; a rule that ours leaves out is off."""
    bounds = family.bounds
    match family.name:
        case "gopher_quality":
            # One bound for two of our rules.
            assert bounds.get("max_hash_ratio") == bounds.get("max_ellipsis_ratio")
            return gopher_quality_filter.GopherQualityFilter(
                min_doc_words=bounds.get("min_words"),
                max_doc_words=bounds.get("max_words"),
                min_avg_word_length=bounds.get("min_mean_word_length"),
                max_avg_word_length=bounds.get("max_mean_word_length"),
                max_symbol_word_ratio=bounds.get("max_hash_ratio"),
                max_bullet_lines_ratio=bounds.get("max_bullet_line_ratio"),
                max_ellipsis_lines_ratio=bounds.get("max_ellipsis_line_ratio"),
                max_non_alpha_words_ratio=bounds.get("min_alpha_word_ratio"),
                min_stop_words=bounds.get("min_stop_words"),
                language=SPLITS,
            )
        case "gopher_repetition":
            top = [(n, bounds[f"max_top_{n}_gram_ratio"]) for n in (2, 3, 4) if f"max_top_{n}_gram_ratio" in bounds]
            duplicate = [(n, bounds.get(f"max_duplicate_{n}_gram_ratio")) for n in range(5, 11)]
            return gopher_repetition_filter.GopherRepetitionFilter(
                dup_line_frac=bounds.get("max_duplicate_line_ratio"),
                dup_para_frac=bounds.get("max_duplicate_paragraph_ratio"),
                dup_line_char_frac=bounds.get("max_duplicate_line_character_ratio"),
                dup_para_char_frac=bounds.get("max_duplicate_paragraph_character_ratio"),
                top_n_grams=top,
                dup_n_grams=[(n, bound) for n, bound in duplicate if bound is not None],
                language=SPLITS,
            )
        case "c4":
            return c4_filters.C4QualityFilter(
                filter_no_terminal_punct=family.parameters["terminal_punctuation"],
                min_words_per_line=family.parameters["min_words_per_line"],
                max_word_length=family.parameters["max_word_length"],
                min_num_sentences=bounds.get("min_sentences", -1),
                filter_lorem_ipsum="max_lorem_ipsum" in bounds,
                filter_curly_bracket="max_curly_bracket" in bounds,
                language=SPLITS,
            )
        case "fineweb":
            return fineweb_quality_filter.FineWebQualityFilter(
                line_punct_thr=bounds.get("min_punctuated_line_ratio", -math.inf),
                short_line_thr=bounds.get("max_short_line_ratio", math.inf),
                char_duplicates_ratio=bounds.get("max_duplicate_character_ratio", math.inf),
                new_line_ratio=bounds.get("max_newline_ratio", math.inf),
                language=SPLITS,
            )
    raise AssertionError(family.name)


def their_verdict(filters: Sequence[BaseFilter], text: str) -> tuple[int, str | None, str]:
    """Which filter dropped the text (-1 if none did), why, and the text as it stood at the end."""
    document = Document(text=text, id="0")
    for place, one in enumerate(filters):
        kept, reason = get_filter_result(one.filter(document))
        if not kept:
            return place, reason, document.text
    return -1, None, document.text


def disagreements(texts: Sequence[str], families: Sequence[Family]) -> list[tuple[int, object, object]]:
    """The row, datatrove's verdict and ours, where they are not the same; of kept pages the text counts too."""
    filters = [theirs(family) for family in families]
    signals, finals = rules.measure(Texts.of(texts), families)
    first = rules.judge(families, signals, len(texts)).first
    owners = [(place, REASONS[rule.name]) for place, family in enumerate(families) for rule in family.rules]
    ours = finals.to_list()
    found: list[tuple[int, object, object]] = []
    for row, text in enumerate(texts):
        place, reason, final = their_verdict(filters, text)
        theirs_is = (place, reason) if reason else final
        ours_is = owners[first[row]] if first[row] >= 0 else ours[row]
        if theirs_is != ours_is:
            found.append((row, theirs_is, ours_is))
    return found


def bounded(name: str, bounds: dict[str, object]) -> Family:
    """The family with these bounds and no other rule; "empty" stays, since datatrove cannot be without it."""
    off = {rule.parameter: None for rule in rules.FAMILIES[name].rules if not rule.name.endswith("_empty")}
    return rules.resolve([{name: {**off, **bounds}}])[0]


def around(value: float) -> list[float]:
    """The number and its two neighbours, as far as they are bounds: 0 is how datatrove says that there is no rule."""
    if isinstance(value, int):
        bounds: list[float] = [value - 1, value, value + 1]
    else:
        bounds = [math.nextafter(value, -math.inf), value, math.nextafter(value, math.inf)]
    return [bound for bound in bounds if bound > 0]


def check_every_number(text: str, name: str) -> None:
    """Each rule of the family alone, bounded by our own number, the float before and the float after it."""
    family = rules.FAMILIES[name]
    signals, _ = rules.measure(Texts.of([text]), [family])
    for rule in family.rules:
        if rule.is_place or rule.name.endswith("_empty"):
            continue
        # datatrove has one bound for these two.
        symbols = ["max_hash_ratio", "max_ellipsis_ratio"]
        together = symbols if rule.parameter in symbols else [rule.parameter]
        for bound in around(signals[family.column(rule.signal)][0].item()):
            assert not disagreements([text], [bounded(name, dict.fromkeys(together, bound))]), (rule.name, bound)


# Web text in small: what the rules look for, every kind of white space, letters of more than one byte and scripts
# without spaces, and lines that come back.
WORDS = [
    *[
        "the",
        "be",
        "of",
        "alpha",
        "Straße",
        "naïve",
        "漢字",
        "日本語。",
        "🙂",
        "👩\u200d👧",
        "12",
        "½",
        "3.14",
        "e.g.",
        "ǅ",
        "İ",
    ],
    *["#", "##", "...", "…", "-", "•", "*", "{", "{}", "»", "１", "\x00", "\x9f", "\u0308", "x" * 12, ""],
    *["[1]", "[٣]", "[edit]", "[citation needed]", "word.[2]", "java[1]script", "JavaScript", "\u212aelvin"],
    *["Lorem ipsum", "Terms of Use", "privacy policy", "use[3] cookies", "use of coo\u212aies"],
]
SPACES = [" ", " ", " ", "  ", "\t", "\u00a0", "\u3000", "\x1f", "\u200b"]
ENDS = ["", "", ".", ".", "!", "?", '"', "'", ".)", "...", "…", "。", " [4]", ". ", "\u2026 "]
# Lines that C4 keeps or reads far enough to drop the page for.
LINES = [
    *[
        "",
        "\n\n",
        "It is prose.",
        "It is prose, too. Is it?",
        "A set {1} is here.",
        "lorem ipsum is here.",
        "{ lorem ipsum }.",
    ],
    *["The javascript {} is here.", "The javascript lorem ipsum.", "The {cookie policy} is here.", "Lorem ipsum. [1]"],
]
BREAKS = ["\n", "\n", "\n\n", "\n \n\n\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]

lines = st.builds(
    lambda start, words, end: start + "".join(word + space for word, space in words).removesuffix(" ") + end,
    st.sampled_from(["", "", "", " ", "- ", "\u2022", "\u00a0-"]),
    st.lists(st.tuples(st.sampled_from(WORDS) | st.text(max_size=6), st.sampled_from(SPACES)), max_size=12),
    st.sampled_from(ENDS),
)
texts = st.lists(lines | st.sampled_from(LINES), min_size=1, max_size=6).flatmap(
    lambda pool: st.lists(st.tuples(st.sampled_from(pool), st.sampled_from(BREAKS)), max_size=20).map(
        lambda parts: "".join(line + end for line, end in parts)
    )
)
c4_settings = st.fixed_dictionaries(
    {
        "terminal_punctuation": st.booleans(),
        "min_words_per_line": st.sampled_from([0, 1, 3]),
        "max_word_length": st.sampled_from([10, 1000]),
        "min_sentences": st.sampled_from([None, 0, 1, 5]),
        "max_lorem_ipsum": st.sampled_from([None, 0]),
        "max_curly_bracket": st.sampled_from([None, 0]),
    }
)


def has_words(text: str) -> bool:
    """datatrove divides by the words that are more than symbols, and then by the lines."""
    return any(not set(word) <= PUNCTUATION_SET for word in text.split())


def test_character_sets() -> None:
    assert TERMINALS == TERMINAL_PUNCTUATION
    assert set(SYMBOLS) == PUNCTUATION_SET


@given(texts)
def test_gopher_quality_numbers(text: str) -> None:
    assume(has_words(text))
    check_every_number(text, "gopher_quality")


@given(texts)
def test_gopher_repetition_numbers(text: str) -> None:
    check_every_number(text, "gopher_repetition")


@given(texts)
def test_fineweb_numbers(text: str) -> None:
    check_every_number(text, "fineweb")


@given(texts, c4_settings)
@settings(max_examples=500)
def test_c4_lines_and_sentences(text: str, parameters: dict[str, object]) -> None:
    [family] = rules.resolve([{"c4": parameters}])
    assert not disagreements([text], [family])
    sentences = rules.measure(Texts.of([text]), [family])[0]["c4_sentences"][0].item()
    for bound in sentences, sentences + 1:
        assert not disagreements([text], rules.resolve([{"c4": {**parameters, "min_sentences": bound}}]))


@given(texts, c4_settings, st.permutations(FAMILIES), st.data())
@settings(max_examples=200)
def test_chain_of_made_up_rules(text: str, c4: dict[str, object], order: list[str], data: st.DataObject) -> None:
    spec: list[object] = []
    for name in order:
        parameters = [rule.parameter for rule in rules.FAMILIES[name].rules if not rule.name.endswith("_empty")]
        off = dict.fromkeys(data.draw(st.sets(st.sampled_from(parameters))), None)
        if "max_hash_ratio" in off or "max_ellipsis_ratio" in off:
            off |= {"max_hash_ratio": None, "max_ellipsis_ratio": None}
        spec.append({name: {"gopher_quality": {**off, "min_words": 1}, "c4": c4}.get(name, off)})
    assert not disagreements([text], rules.resolve(spec))


@given(texts, st.booleans())
def test_c4_line_counts(text: str, terminal_punctuation: bool) -> None:
    parameters = {"terminal_punctuation": terminal_punctuation, "max_lorem_ipsum": None, "max_curly_bracket": None}
    [family] = rules.resolve([{"c4": {**parameters, "max_word_length": 10}}])
    signals, _ = rules.measure(Texts.of([text]), [family])
    oracle = theirs(family)
    their_verdict([oracle], text)
    stats = {
        "lines": "line-total",
        "long_word_lines": "line-filter-too_long_word",
        "unpunctuated_lines": "line-filter-no_terminal_punc",
        "short_lines": "line-filter-too_few_words",
        "javascript_lines": "line-filter-javascript",
        "policy_lines": "line-filter-policy",
    }
    assert {name: signals[family.column(name)][0] for name in stats} == {
        name: oracle.stats[stat].total for name, stat in stats.items()
    }


@functools.cache
def real_texts() -> list[str]:
    shards = sorted(PAGES.glob("*.warc.gz"))
    if not shards:
        pytest.skip(f"no pages at {PAGES}")
    pages = []
    for shard in shards:
        with shard.open("rb") as file:
            pages += [record.reader.read() for record in ArchiveIterator(file, WarcRecordType.response)]
    return [
        extract_plain_text(page.decode("utf-8", "replace"), main_content=True, alt_texts=False, list_bullets=False)
        for page in pages[::STRIDE]
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_real_pages(name: str) -> None:
    assert not disagreements(real_texts(), rules.resolve([name]))


@pytest.mark.parametrize("terminal_punctuation", [True, False])
def test_real_pages_through_the_chain(terminal_punctuation: bool) -> None:
    """FineWeb's pipeline, and the same with C4's rule on the ends of lines."""
    c4 = {"c4": {"terminal_punctuation": terminal_punctuation}}
    assert not disagreements(real_texts(), rules.resolve(["gopher_repetition", "gopher_quality", c4, "fineweb"]))


@pytest.mark.parametrize("name", FAMILIES[1:])
def test_real_pages_number_by_number(name: str) -> None:
    for text in filter(has_words, real_texts()[::20]):
        check_every_number(text, name)
