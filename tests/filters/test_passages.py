"""Marked passages against the signals that they are to explain: for every rule, what is marked makes the number."""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import rules
from filters.family import Family
from filters.passages import FINDERS, Passages, excerpt, passages, seen_by
from filters.phrase_places import Trie, places
from kernels import phrase_trie, phrases
from kernels.characters import SYMBOLS
from kernels.texts import Texts
from tests.conftest import prose
from tests.kernels import twins
from tests.kernels.test_personal_data import text as personal_text
from tests.kernels.test_phrases import LETTERS, words_of

ENGLISH = "The river runs under the old bridge and past the mill, where nobody has lived since the war. "
GERMAN = "Der Fluss fließt unter der alten Brücke hindurch und an der Mühle vorbei, in der niemand wohnt. "
QUESTION = "A baker in the old town sells ninety loaves of rye bread every single morning, how many in May?"
URL = "https://ads.shop.example/tracker/1"
HERE = 'Here is a { and there is "lorem Ipsum" in a line that ends.'
LISTS = ("Use javascript { now, please.\n\n" + HERE + "\n#tag ##two ... …\n- one\n• two...\n  \n- one\n- one\n") * 2
ODD = [
    "",
    "a",
    "\n",
    "\n\n",
    " \r\n \r\n",
    "…",
    "[1]",
    "e\u0301\u0301 \u200d \u200b\ufe0f",
    "👍🏽👩\u200d👩\u200d👧 👍🏽👩\u200d👩\u200d👧\n👍🏽\n👍🏽.",
    "他是坏蛋坏蛋。他是坏蛋坏蛋。\n他是坏蛋坏蛋。\n\n他是坏蛋坏蛋。カタカナひらがなカタカナ",
    "นี่คือคำแย่มาก นี่คือคำแย่มาก\nนี่คือคำแย่มาก",
    "مرحبا بالعالم؟ مرحبا بالعالم؟\nمرحبا بالعالم؟\r\nمرحبا بالعالم؟\r\n",
    "One line.\r\nOne line.\x0bThen more…\u2028- bullet\x85• bullet ...\r\r\nOne line.\r\n",
    "a a a a a a a a a a a a a a a a a a a a a a a a a",
    "\nBegin.\n\n\nBegin.\n\nEnd 12 ٣٤ Ⅷ\n",
    "SHOUTED LINE\n42\n3 likes\nsingle\nSign-in here\nplain words here.\n\n  \nRead more...",
    "Text one.[1] Text two.[edit] (“Really?”) he said[citation needed]. Lorem[2] ipsum dolor, e.g. this {x}.[3]",
    "[email] jo@example.com,jo@example.org; [phone] Tel. +49 (0)30 123 456-78 / 030 123 45 67, 4111 1111 1111 1111\n"
    "[card] 91.198.174.192 [ip] 2a00:1450:4001:81b::200e jo.doe@example.com.",
]


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Family]:
    """Every family with what it needs, and with all its rules."""
    folder = tmp_path_factory.mktemp("lists")
    words = ["the", "of the", "river runs", "坏蛋", "คำแย่", "line", "👍"]
    needed: dict[str, Any] = {
        "bad_words": {"lists": write(folder / "words.txt", *words)},
        "blocked_urls": {"domains": write(folder / "ads.txt", "shop.example"), "words": write(folder / "w", "tracker")},
        "decontamination": {"against": write(folder / "bakery.jsonl", json.dumps({"question": QUESTION}))},
        "mixed_language": {"block_characters": 250},
        "c4": {"terminal_punctuation": False, "min_words_per_line": 1},
    }
    found = rules.resolve([{name: needed.get(name, {})} for name in rules.FAMILIES])
    return {family.name: replace(family, rules=rules.FAMILIES[family.name].rules) for family in found}


def made_up() -> list[str]:
    plain = prose(6)
    lines = [f"{sentence * 3}\n" for sentence in (ENGLISH, GERMAN)]
    return [
        *ODD,
        plain[0] + "\n\n" + plain[1] + "\n\n" + plain[0].split("\n\n")[1] + "\n" + plain[1],
        " ".join(plain[2].split()[:40]) + " " + " ".join(plain[2].split()[10:35]) + f" {QUESTION} {plain[3]}",
        LISTS,
        plain[4] + "\n" + LISTS.replace(" ", "  ") + plain[5].upper(),
        lines[0] * 8 + lines[1] * 4,
    ]


@dataclass(frozen=True)
class Marked:
    """A text, what a rule marks in it, and the signals of the rule's family."""

    text: str
    passages: Passages
    signals: Mapping[str, Any]

    @property
    def parts(self) -> list[str]:
        return [self.text[start:end] for start, end in self.passages.spans]

    @property
    def count(self) -> int:
        return len(self.parts)

    @property
    def characters(self) -> int:
        return sum(map(len, self.parts))

    @property
    def letters(self) -> int:
        return sum(len("".join(part.split())) for part in self.parts)

    @property
    def words(self) -> int:
        return max(len(twins.words(self.text)), 1)

    @property
    def lines(self) -> int:
        return max(len(self.text.splitlines()), 1)

    @property
    def filled(self) -> int:
        return max(sum(bool(line.strip()) for line in self.text.split("\n")), 1)

    @property
    def said(self) -> int:
        """The first number in the note."""
        number = re.match("no|[0-9,]+", self.passages.note)
        assert number, self.passages.note
        return 0 if number[0] == "no" else int(number[0].replace(",", ""))


def duplicates(marked: Marked) -> float:
    parts = re.split("\n+", marked.text)
    # Empty lines repeat each other, and nothing in them can be marked.
    return (marked.count + max(parts.count("") - 1, 0)) / len(parts)


def paragraphs(marked: Marked) -> float:
    return marked.count / len(re.split("\n{2,}", marked.text.strip()))


def of_all(marked: Marked) -> float:
    return marked.characters / max(len(marked.text), 1)


def top_ngram(marked: Marked) -> float:
    if not marked.passages.note:
        return 0
    said = re.fullmatch("“(.*)”, ([0-9,]+) times?", marked.passages.note, re.DOTALL)
    assert said
    times = int(said[2].replace(",", ""))
    assert marked.count <= times
    assert all(" ".join(twins.words(part)).startswith(said[1]) for part in marked.parts)
    return len(said[1]) * times / len(marked.text)


def mean_length(marked: Marked) -> float:
    lengths = [len(word) for word in twins.words(marked.text) if word.strip(SYMBOLS)]
    assert marked.count == min(len(lengths), 20)
    own = sorted(map(len, marked.parts))
    assert own in (sorted(lengths)[:20], sorted(lengths)[-20:])
    return sum(lengths) / max(len(lengths), 1)


def first_line(marked: Marked) -> int:
    if not marked.count:
        return 0
    return len((marked.text[: marked.passages.spans[0][0]] + "x").splitlines())


def removed_words(marked: Marked) -> float:
    assert marked.count == sum(value for name, value in marked.signals.items() if name.endswith("_lines"))
    assert sum(map(int, re.findall("[0-9]+", marked.passages.note))) == marked.count
    return sum(len(twins.words(part)) for part in marked.parts) / marked.words


def words_in_matches(marked: Marked) -> float:
    place, hits = 0, 0
    for word in twins.words(marked.text):
        place = marked.text.index(word, place)
        hits += any(start < place + len(word) and end > place for start, end in marked.passages.spans)
        place += len(word)
    return hits / marked.words


def shared(marked: Marked) -> int:
    assert set(marked.parts) <= {QUESTION}
    return marked.said if marked.passages.note else 0


def main_ratio(marked: Marked) -> float:
    """The note has it in percent; the letters of what is marked are counted in another test."""
    ratio: float = marked.signals["main_ratio"]
    shares = [int(share) for share in re.findall("([0-9]+)%", marked.passages.note)]
    assert shares[:1] in ([], [round(100 * ratio)])
    assert (len(shares) > 1) == (ratio < 1) == (marked.count > 0)
    return ratio


# What the marks of a rule make of its signal.
CHECKS: Mapping[str, Callable[[Marked], float]] = {
    **dict.fromkeys(("gopher_too_few_words", "gopher_too_many_words"), lambda marked: marked.said),
    **dict.fromkeys(("gopher_words_too_short", "gopher_words_too_long"), mean_length),
    "gopher_too_many_hashes": lambda marked: marked.count / marked.words,
    "gopher_too_many_ellipses": lambda marked: marked.count / marked.words,
    "gopher_too_many_bullet_lines": lambda marked: marked.count / marked.lines,
    "gopher_too_many_ellipsis_lines": lambda marked: marked.count / marked.lines,
    "gopher_too_few_alpha_words": lambda marked: (len(twins.words(marked.text)) - marked.count) / marked.words,
    "gopher_too_few_stop_words": lambda marked: len(set(marked.parts)),
    "gopher_empty": lambda marked: marked.said,
    "gopher_duplicate_paragraphs": paragraphs,
    "gopher_duplicate_paragraph_characters": of_all,
    "gopher_duplicate_lines": duplicates,
    "gopher_duplicate_line_characters": of_all,
    **{f"gopher_dominant_{n}_gram": top_ngram for n in (2, 3, 4)},
    **{f"gopher_duplicate_{n}_grams": lambda m: m.letters / max(len(m.text), 1) for n in range(5, 11)},
    **dict.fromkeys(("c4_lorem_ipsum", "c4_curly_bracket"), first_line),
    "c4_too_few_sentences": lambda marked: marked.said,
    "fineweb_empty": lambda marked: marked.said,
    "fineweb_too_few_punctuated_lines": lambda m: (m.signals["lines"] - m.count) / m.filled,
    "fineweb_too_many_short_lines": lambda marked: marked.count / marked.filled,
    "fineweb_too_many_duplicate_characters": lambda m: m.characters / max(len(m.text) - m.text.count("\n"), 1),
    "fineweb_too_many_newlines": lambda marked: marked.count / marked.words if twins.words(marked.text) else 0,
    "refinedweb_too_many_words_removed": removed_words,
    **{f"counts_too_{much}_{what}": lambda marked: marked.said for much in ("few", "many") for what in
       ("characters", "words", "lines")},
    **dict.fromkeys(("counts_too_many_digits", "counts_too_many_uppercase"), of_all),
    **dict.fromkeys(("counts_too_much_punctuation", "counts_too_much_space"), of_all),
    "blocked_url": lambda marked: 2 if marked.passages.note.endswith(", and 1 list more") else 0,
    "bad_words": lambda marked: marked.count,
    "bad_words_ratio": words_in_matches,
    "contaminated": shared,
    "contaminated_throughout": lambda marked: marked.signals["cuts"],
    "mixed_language_too_little_of_main": main_ratio,
    **{f"personal_data_too_many_{kind}s": lambda marked: marked.count for kind in ("email", "ip", "phone", "card")},
}  # fmt: skip


def check(families: Mapping[str, Family], texts: list[str], language: str | None) -> None:
    for family in families.values():
        batch = Texts.of(texts, [language] * len(texts), [URL] * len(texts))
        columns, _ = family.measure(batch, **family.parameters)
        for row, text in enumerate(texts):
            signals = {name: column[row] for name, column in columns.items()}
            for rule in family.rules:
                found = passages(family, rule, text, language, URL)
                sides = [0, *(side for span in found.spans for side in span), len(text)]
                assert sides == sorted(sides), (rule.name, text)
                assert all(start < end for start, end in found.spans), (rule.name, text)
                marks = CHECKS[rule.name](Marked(text, found, signals))
                assert marks == pytest.approx(signals[rule.signal], rel=1e-12), (rule.name, text, found)


def test_every_rule_has_passages_and_a_check() -> None:
    names = [rule.name for family in rules.FAMILIES.values() for rule in family.rules]
    assert sorted(names) == sorted(FINDERS) == sorted(CHECKS)


@pytest.mark.parametrize("language", [None, "en", "de", "th", "no such"])
def test_marks_make_the_signals_of_made_up_texts(families: dict[str, Family], language: str | None) -> None:
    check(families, made_up(), language)


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from([*"aAée\u0301.?!…#-•{[]1 \n\r\u2028'”中かカ👍\u200d", "[1]", "...", "a b ", "lorem ipsum"]),
        max_size=40,
    )
)
def test_marks_make_the_signals_of_any_text(families: dict[str, Family], pieces: list[str]) -> None:
    check(families, ["".join(pieces)], None)


def test_marks_make_the_signals_of_real_pages(families: dict[str, Family], shared_data: Path) -> None:
    with gzip.open(shared_data / "pages/ground_truth.jsonl.gz", "rt", encoding="utf-8") as file:
        pages = [json.loads(line)["text"] for line in file]
    check(families, [page for page in pages if len(page) < 10_000][::8], "en")


def mark(families: Mapping[str, Family], name: str, text: str, language: str | None = "en") -> tuple[list[str], str]:
    """What is marked for the rule of that name, and the note."""
    [(family, rule)] = [(f, rule) for f in families.values() for rule in f.rules if rule.name == name]
    found = passages(family, rule, text, language, URL)
    return [text[start:end] for start, end in found.spans], found.note


@pytest.mark.parametrize(
    ("rule", "text", "marked", "note"),
    [
        ("gopher_too_few_words", "Two words.", [], "2 words"),
        ("gopher_empty", "", [], "no character"),
        (
            "gopher_words_too_long",
            "A consideration , that.",
            ["A", "consideration", "that."],
            "3 words, 6.3 characters on average",
        ),
        ("gopher_too_many_bullet_lines", "Say:\n - one\n• two", ["- one", "• two"], "2 of 3 lines"),
        ("gopher_too_few_alpha_words", "It is 42 ==", ["42", "=="], "2 of 4 words without a letter"),
        ("gopher_too_few_stop_words", "Nothing here", [], "no stop word"),
        ("gopher_too_few_stop_words", "the best of the rest", ["the", "of", "the"], "2 stop words: of, the"),
        ("gopher_duplicate_lines", "one\ntwo\none\n\none", ["one", "one"], ""),
        ("gopher_duplicate_paragraphs", "a\nb\n\nc\n\n\na\nb", ["a\nb"], ""),
        ("gopher_dominant_2_gram", "on and  on and off", ["on and", "on and"], "“on and”, 2 times"),
        ("gopher_dominant_2_gram", "ha ha ha no", ["ha ha ha"], "“ha ha”, 2 times"),
        ("gopher_duplicate_5_grams", "a b c d e . a b c d e f", ["a b c d e"], ""),
        ("c4_curly_bracket", "javascript {\nif {x} {", ["{", "{"], ""),
        ("c4_lorem_ipsum", "So: Lorem[1] IPSUM dolor", ["Lorem[1] IPSUM"], ""),
        (
            "c4_too_few_sentences",
            'He said: "So.[1]" Then\njavascript. On.\nnothing',
            ['.[1]"', "n", "g"],
            "3 sentences in 2 lines of 3",
        ),
        ("fineweb_too_few_punctuated_lines", "A list\n\nof things.\nand more", ["A list", "and more"], "2 of 3 lines"),
        ("fineweb_too_many_newlines", "a b\nc\n", ["\n", "\n"], "2 new lines, 3 words"),
        (
            "refinedweb_too_many_words_removed",
            "SHOUTED IT\n 3 likes \nsaid it\nhome",
            ["SHOUTED IT", "3 likes", "home"],
            "1 uppercase line, 1 counter line, 1 one-word line",
        ),
        ("counts_too_many_digits", "12 and ٣", ["12", "٣"], ""),
        ("bad_words", "Of\nthe lines, the line; classic 👍👍.", ["Of\nthe", "the", "line", "👍", "👍"], ""),
        ("contaminated", f"So: {QUESTION} So.", [QUESTION], "7 n-grams of bakery"),
        ("personal_data_too_many_emails", "[email] a@b.cc,d@e.ff; x@[email]", ["a@b.cc", "d@e.ff"], ""),
        ("personal_data_too_many_phones", "Tel. +49 (0)30 123 456-78, [phone]", ["+49 (0)30 123 456-78"], ""),
        ("personal_data_too_many_phones", "030 1234567  " * 50, ["030 1234567"] * 50, ""),
        ("blocked_url", "", [], "ads.shop.example is on the list ads (domain), and 1 list more"),
    ],
)
def test_what_a_person_would_mark(
    families: dict[str, Family], rule: str, text: str, marked: list[str], note: str
) -> None:
    assert mark(families, rule, text) == (marked, note)


def test_the_words_that_are_marked_are_those_of_the_language(families: dict[str, Family]) -> None:
    assert mark(families, "gopher_too_few_stop_words", "und the", "de") == (["und"], "1 stop word: und")
    family = replace(families["gopher_quality"], parameters={"by_language": False})
    assert mark({"": family}, "gopher_too_few_stop_words", "und the", "de") == (["the"], "1 stop word: the")


def test_a_blocked_url_is_named_by_the_part_that_its_list_is_of(families: dict[str, Family], tmp_path: Path) -> None:
    [family] = rules.resolve([{"blocked_urls": {"soft_words": write(tmp_path / "soft.txt", "tracker", "shop")}}])
    assert mark({"": family}, "blocked_url", "") == ([], f"{URL} is on the list soft (soft word)")
    rule = family.rules[0]
    assert passages(family, rule, "", None, "https://good.example/").note == "https://good.example/ is on no list"


def test_blocks_of_other_languages_are_marked_letter_for_letter(families: dict[str, Family]) -> None:
    lines = [f"{sentence * 3}\n" for sentence in (ENGLISH, GERMAN)]
    text = lines[0] * 6 + lines[1] * 4 + "1 2 3 4\n" * 50 + lines[0] * 2
    marked, note = mark(families, "mixed_language_too_little_of_main", text)
    assert " ".join(marked).split() == (GERMAN * 12).split()
    assert note == "65% en, 35% de"


@settings(max_examples=150)
@given(personal_text)
def test_what_is_marked_as_personal_is_what_is_replaced(families: dict[str, Family], text: str) -> None:
    family = families["personal_data"]
    spans = [
        (start, end, kind)
        for rule, kind in zip(family.rules, ("email", "ip", "phone", "card"), strict=True)
        for start, end in passages(family, rule, text, None, URL).spans
    ]
    replaced = text
    for start, end, kind in sorted(spans, reverse=True):
        replaced = f"{replaced[:start]}[{kind}]{replaced[end:]}"
    _, left = family.measure(Texts.of([text]), **family.parameters)
    assert replaced == left.to_list()[0]


def test_what_is_not_replaced_is_marked_all_the_same() -> None:
    [family] = rules.resolve([{"personal_data": {"replace": "ip", "max_emails": 0}}])
    assert mark({"": family}, "personal_data_too_many_emails", "a@b.cc at 91.198.174.192") == (["a@b.cc"], "")


@settings(max_examples=200)
@given(st.lists(words_of, min_size=1, max_size=5), st.data())
def test_phrases_stand_where_the_kernel_counts_them(wanted: list[str], data: st.DataObject) -> None:
    pieces = st.one_of(st.sampled_from(wanted), st.text(alphabet=LETTERS, max_size=4))
    text = data.draw(st.lists(pieces, max_size=8).map("".join))
    trie = phrase_trie.of(wanted)
    [row] = phrases.find(Texts.of([text]), np.arange(1), trie)
    spans = list(places(text, Trie.of(trie)))
    found = [phrases.find(Texts.of([text[start:end]]), np.arange(1), trie)[0].tolist() for start, end in spans]
    assert len(spans) == row[0]
    # Each is a phrase, by itself too.
    assert [1] * len(spans) == [n for n, _, _, _ in found]
    assert [first for _, _, _, first in found[:1]] == row[3:].tolist()[: len(spans)]


def test_a_list_is_read_again_when_it_changed_and_said_to_be_gone(tmp_path: Path) -> None:
    listed = tmp_path / "mine.txt"
    for word in "river", "bridge":
        write(listed, word)
        [family] = rules.resolve([{"bad_words": {"lists": str(listed)}}])
        assert mark({"": family}, "bad_words", ENGLISH) == ([word], "")
    listed.unlink()
    assert mark({"": family}, "bad_words", ENGLISH) == (
        [],
        f"{listed} is gone, so what was found with it cannot be marked",
    )


def test_a_family_without_lists_and_one_whose_work_is_not_known_mark_nothing() -> None:
    assert mark(rules.FAMILIES, "contaminated", ENGLISH) == ([], "")
    assert mark(rules.FAMILIES, "bad_words", ENGLISH) == ([], "")
    for name in "datatrove.GopherQualityFilter", "classifier.toxic":
        rule = replace(rules.FAMILIES["c4"].rules[0], name=f"{name}.any")
        assert passages(replace(rules.FAMILIES["c4"], name=name, rules=(rule,)), rule, "{", None, "") == Passages(
            (), ""
        )


def test_a_family_sees_what_those_before_it_left() -> None:
    families = rules.resolve(["gopher_quality", "c4", "personal_data", "fineweb"])
    text = "Write to jo@example.com today.\nno end\nOr do not write at all."
    left = [seen_by(families, index, text, "en", URL) for index in range(4)]
    kept = text.replace("no end\n", "")
    assert left == [text, text, kept, kept.replace("jo@example.com", "[email]")]


@pytest.mark.parametrize(
    ("spans", "most", "shown"),
    [
        ([], 10, "0123456789…"),
        ([], 50, "0123456789\nabcdefghijklmnopqrstuvwxyz"),
        ([(36, 37)], 37, "0123456789\nabcdefghijklmnopqrstuvwxy<z>"),
        ([(0, 2)], 6, "<01>2345…"),
        ([(35, 37)], 6, "…uvwx<yz>"),
        ([(20, 22)], 6, "…hi<jk>lm…"),
        ([(9, 12)], 5, "…8<9\na>b…"),
        # Several, as far as there is room; none that is cut in two.
        ([(2, 4), (6, 8), (30, 31)], 8, "…1<23>45<67>8…"),
        ([(2, 4), (8, 12)], 8, "01<23>4567…"),
        # But one for which there is no room at all.
        ([(12, 30)], 5, "…<bcdef>…"),
        ([(12, 17), (17, 18)], 5, "…<bcdef>…"),
    ],
)  # fmt: skip
def test_an_excerpt_is_around_the_first_marks(spans: list[tuple[int, int]], most: int, shown: str) -> None:
    text = "0123456789\nabcdefghijklmnopqrstuvwxyz"
    cut, moved = excerpt(text, spans, most)
    for start, end in reversed(moved):
        cut = f"{cut[:start]}<{cut[start:end]}>{cut[end:]}"
    assert cut == shown


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 59), st.integers(1, 9)), max_size=6), st.integers(1, 70))
def test_an_excerpt_moves_marks_with_their_text(text: str, sizes: list[tuple[int, int]], most: int) -> None:
    spans: list[tuple[int, int]] = []
    for start, size in sorted(sizes):
        if start + size <= len(text) and (not spans or start >= spans[-1][1]):
            spans.append((start, start + size))
    cut, moved = excerpt(text, spans, most)
    assert any(len(body) <= most and body in text for body in (cut, cut[1:], cut[:-1], cut[1:-1]))
    assert bool(moved) == bool(spans)
    for (start, end), (first, last) in zip(spans, moved, strict=False):
        whole = text[start:end]
        assert cut[first:last] == whole or (len(whole) > most and whole.startswith(cut[first:last]))
