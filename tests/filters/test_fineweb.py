import pytest

from filters import fineweb, rules
from kernels.texts import Texts

LONG = [f"This is line number {number} of the long ones" for number in range(100, 200)]


def failing(text: str) -> list[str]:
    """The names of all rules the text fails, the reason first."""
    signals, _ = rules.measure(Texts.of([text]), [fineweb.FAMILY])
    verdicts, names = rules.judge([fineweb.FAMILY], signals, 1), rules.rule_names([fineweb.FAMILY])
    found = [name for bit, name in enumerate(names) if int(verdicts.failed[0]) >> bit & 1]
    assert verdicts.first[0] == (names.index(found[0]) if found else -1)
    return found


def page(punctuated: int, short: int, long: int) -> str:
    """Lines, none of them twice: so many long ones with a full stop, then short ones and long ones without."""
    shorts = [f"a line of thirty letters - {number}" for number in range(100, 100 + short)]
    return "\n".join([f"{line}." for line in LONG[:punctuated]] + shorts + LONG[punctuated : punctuated + long])


def duplicated(n_characters: int) -> str:
    """A line of so many code points twice, in 1,000 without the new lines."""
    line = "a." + "b" * (n_characters - 3) + "."
    rest = 1000 - 2 * len(line)
    return f"{line}\n{'some words ' * (rest // 11)}{'x' * (rest % 11 - 1)}.\n{line}"


@pytest.mark.parametrize(
    ("rule", "at_the_bound", "beyond"),
    [
        ("fineweb_too_few_punctuated_lines", page(12, 0, 88), page(11, 0, 88)),
        ("fineweb_too_many_short_lines", page(33, 67, 0), page(33, 68, 0)),
        ("fineweb_too_many_duplicate_characters", duplicated(10), duplicated(11)),
        ("fineweb_too_many_newlines", "\n\n\n" + "word " * 9 + "end.", "\n\n\n\n" + "word " * 9 + "end."),
    ],
)
def test_rules(rule: str, at_the_bound: str, beyond: str) -> None:
    assert failing(at_the_bound) == []
    assert failing(beyond) == [rule]


@pytest.mark.parametrize("text", ["", "\n\n", " \n\t\u2028\n"])
def test_empty_is_the_reason_of_a_page_without_lines(text: str) -> None:
    assert failing(text)[0] == "fineweb_empty"


def test_a_line_ends_in_any_script_but_not_in_a_space() -> None:
    text = 'One.\nTwo?\n三。\nचार।\nFive. \nSix…\nSeven"\n'
    values, _ = fineweb.measure(Texts.of([text]), by_language=True)
    assert values["punctuated_line_ratio"] == 4 / 7
