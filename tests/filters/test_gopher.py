import pytest

from filters import gopher, rules
from filters.family import Family
from kernels.texts import Texts


def failing(family: Family, text: str) -> list[str]:
    """The names of all rules the text fails, the reason first."""
    signals, _ = rules.measure(Texts.of([text]), [family])
    verdicts, names = rules.judge([family], signals, 1), rules.rule_names([family])
    found = [name for bit, name in enumerate(names) if int(verdicts.failed[0]) >> bit & 1]
    assert verdicts.first[0] == (names.index(found[0]) if found else -1)
    return found


def prose(n_words: int, *more: str) -> str:
    """A line of as many words, two of them stop words, that ends in `more`."""
    return " ".join(["the", "and", *["plain"] * (n_words - 2 - len(more)), *more])


def page_of_lines(*groups: tuple[str, int]) -> str:
    return "\n".join(line for line, times in groups for _ in range(times))


@pytest.mark.parametrize(
    ("rule", "at_the_bound", "beyond"),
    [
        ("gopher_too_few_words", prose(50), prose(49)),
        ("gopher_too_few_words", prose(51, "!"), prose(50, "!")),
        ("gopher_too_many_words", prose(100_000), prose(100_001)),
        ("gopher_words_too_short", "the and" + " abc" * 48, "the and" + " abc" * 47 + " ab"),
        (
            "gopher_words_too_long",
            "the and" + " ten-letter" * 47 + " " + "x" * 24,
            "the and" + " ten-letter" * 47 + " " + "x" * 25,
        ),
        ("gopher_too_many_hashes", prose(50, *["#tag"] * 5), prose(50, *["#tag"] * 6)),
        ("gopher_too_many_ellipses", prose(50, *["so...", "so…"] * 2, "so…so"), prose(50, *["so...so", "so…so"] * 3)),
        (
            "gopher_too_many_bullet_lines",
            page_of_lines((f" • {prose(5)}", 5), (f"-{prose(5)}", 4), (prose(5), 1)),
            page_of_lines((f" • {prose(5)}", 5), (f"-{prose(5)}", 5)),
        ),
        (
            "gopher_too_many_ellipsis_lines",
            page_of_lines((prose(5) + " … ", 2), (prose(5) + "...", 1), (prose(5), 7)),
            page_of_lines((prose(5) + " … ", 2), (prose(5) + "...", 2), (prose(5), 6)),
        ),
        ("gopher_too_few_alpha_words", prose(60, *["2024"] * 12), prose(60, *["2024"] * 13)),
        ("gopher_too_few_stop_words", prose(50), prose(50).replace("and", "And")),
    ],
)
def test_quality(rule: str, at_the_bound: str, beyond: str) -> None:
    assert failing(gopher.QUALITY, at_the_bound) == []
    assert failing(gopher.QUALITY, beyond) == [rule]


def words(n_characters: int, start: int = 100) -> str:
    """Words that occur once, " w100 w101 ...", in exactly as many code points (5 at least)."""
    text = "".join(f" w{number}" for number in range(start, start + n_characters // 5))
    return text + "x" * (n_characters - len(text))


def padded(text: str) -> str:
    """In 1,000 code points a ratio is an exact decimal."""
    return text + words(1000 - len(text), start=500)


def same_lines(times: int, others: list[str], separator: str) -> str:
    return separator.join(["a"] * times + others[: 10 - times])


def long_line_twice(n_characters: int, separator: str) -> str:
    line = "x" * n_characters
    return padded(separator.join([words(300), line, "between", line, ""]))


def scattered(phrase: str, times: int) -> str:
    """The phrase as often, each time before another word."""
    return padded(" ".join(f"{phrase} {chr(0x4E00 + time)}" for time in range(times)))


def words_twice(n: int, n_characters: int) -> str:
    """`n` words in a row that come twice, and without their spaces have as many code points.

    The numbers before them are the top n-grams, and short.
    """
    phrase = " ".join(["y" * (n_characters - n + 1), *"abcdefghi"[: n - 1]])
    return padded(f"1 2 3 4 - 1 2 3 4 + 1 2 3 4 {phrase} * {phrase} /")


LINES = [" ".join(f"{line}{letter}" for letter in "bcdefg") for line in range(10, 40)]
PARAGRAPHS = ["\n".join(LINES[start : start + 3]) for start in range(0, 30, 3)]


@pytest.mark.parametrize(
    ("expected", "at_the_bound", "beyond"),
    [
        (["gopher_empty"], " ", ""),
        (["gopher_duplicate_paragraphs"], same_lines(4, PARAGRAPHS, "\n\n"), same_lines(5, PARAGRAPHS, "\n\n\n")),
        (
            ["gopher_duplicate_paragraph_characters", "gopher_duplicate_line_characters"],
            long_line_twice(200, "\n\n"),
            long_line_twice(201, "\n\n"),
        ),
        (["gopher_duplicate_lines"], same_lines(4, LINES, "\n"), same_lines(5, LINES, "\n")),
        (["gopher_duplicate_line_characters"], long_line_twice(200, "\n"), long_line_twice(201, "\n")),
        (["gopher_dominant_2_gram"], scattered("ab cd", 40), scattered("ab cd", 41)),
        (["gopher_dominant_3_gram"], scattered("ab cd efg", 20), scattered("ab cd efg", 21)),
        (["gopher_dominant_4_gram"], scattered("a bc de fg", 16), scattered("a bc de fg", 17)),
        *(
            ([f"gopher_duplicate_{n}_grams"], words_twice(n, bound), words_twice(n, bound + 1))
            for n, bound in [(5, 150), (6, 140), (7, 130), (8, 120), (9, 110), (10, 100)]
        ),
    ],
)
def test_repetition(expected: list[str], at_the_bound: str, beyond: str) -> None:
    assert failing(gopher.REPETITION, at_the_bound) == []
    assert failing(gopher.REPETITION, beyond) == expected


def test_a_text_without_words_has_ratios_of_0() -> None:
    for text in "", " \n":
        signals, _ = rules.measure(Texts.of([text]), [gopher.QUALITY, gopher.REPETITION])
        del signals["gopher_repetition_characters"]
        assert {name: column[0] for name, column in signals.items() if column[0] != 0} == {}


def test_a_repeat_is_passed_over_whole() -> None:
    """A 5-gram that begins inside its first copy counts; one that begins inside a counted repeat does not."""
    for n_words, characters in (5, 0), (6, 5), (11, 10):
        text = " ".join("x" * n_words)
        values, _ = gopher.measure_repetition(Texts.of([text]))
        assert values["duplicate_5_gram_ratio"] == characters / len(text)


def test_new_lines_around_the_text_make_no_paragraphs_but_two_lines() -> None:
    values, _ = gopher.measure_repetition(Texts.of(["\n\none\n\ntwo\n\n"]))
    assert values["duplicate_paragraph_ratio"] == 0
    assert values["duplicate_line_ratio"] == 1 / 4


GERMAN = "Die Stadt liegt an dem Fluss und sie ist eine der schönsten im Land, wie man es sonst nicht findet. " * 5


def judged_as(language: str | None, text: str, **settings: object) -> list[str]:
    """The names of the quality rules that the text fails, known to be in that language."""
    families = rules.resolve([{"gopher_quality": settings}])
    signals, _ = rules.measure(Texts.of([text], [language]), families)
    verdicts = rules.judge(families, signals, 1, [language])
    return [name for bit, name in enumerate(rules.rule_names(families)) if int(verdicts.failed[0]) >> bit & 1]


def test_a_text_is_held_to_its_own_language() -> None:
    assert judged_as("de", GERMAN) == []
    assert judged_as("en", GERMAN) == judged_as(None, GERMAN) == ["gopher_too_few_stop_words"]
    assert judged_as("de", GERMAN, by_language=False) == ["gopher_too_few_stop_words"]
    assert judged_as("tlh", GERMAN) == ["gopher_too_few_stop_words"], "what is not known is held to English"


def test_bounds_are_those_of_the_language() -> None:
    """Chinese says the same in more and shorter words, one for each character."""
    text = "的一是在不了有和人这中大为上个国" * 5
    assert judged_as("zh", text) == []
    assert judged_as("en", text) == ["gopher_words_too_short", "gopher_too_few_stop_words"]
