import pytest

from filters import rules
from kernels.texts import Texts

GOOD = "This line is prose."
FIVE = "One is here. Two is here! Is three here? Four is here. Five is here."


def measured(text: str, **parameters: object) -> tuple[dict[str, int], str, str]:
    """The signals that are not 0, the text C4 leaves, and the reason it is dropped for ("" for none)."""
    families = rules.resolve([{"c4": parameters}])
    signals, texts = rules.measure(Texts.of([text]), families)
    first = rules.judge(families, signals, 1).first[0]
    values = {name.removeprefix("c4_"): int(column[0]) for name, column in signals.items() if column[0]}
    return values, texts.to_list()[0], rules.rule_names(families)[first] if first >= 0 else ""


@pytest.mark.parametrize(
    ("line", "signal"),
    [
        ("This holds " + "x" * 1001 + ".", "long_word_lines"),
        ("This line is a heading", "unpunctuated_lines"),
        ("This line trails off...", "unpunctuated_lines"),
        ("This line trails off…", "unpunctuated_lines"),
        ("This line has a mark. [1]", "unpunctuated_lines"),
        ("", "unpunctuated_lines"),
        ("Two words.", "short_lines"),
        ("Please enable JavaScript now.", "javascript_lines"),
        ("Please enable Java[2]Script now.", "javascript_lines"),
        ("Our Privacy Policy has changed.", "policy_lines"),
        ("Read the terms of use.", "policy_lines"),
        ("This site uses cookies.", "policy_lines"),
    ],
)
def test_a_line_is_dropped_for(line: str, signal: str) -> None:
    values, text, _ = measured(f"{GOOD}\n{line}\n{GOOD}")
    assert values == {"lines": 3, signal: 1, "sentences": 2}
    assert text == f"{GOOD}\n{GOOD}"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("This holds " + "x" * 999 + ".", "This holds " + "x" * 999 + "."),
        ('"This one is quoted"', '"This one is quoted"'),
        ("  This is indented. \t", "This is indented."),
        ("Marks[edit] are[citation needed] gone.[12]", "Marks are gone."),
        ("The edit [edit ] stays.", "The edit [edit ] stays."),
        ("Now three [1] words.", "Now three  words."),
    ],
)
def test_a_line_is_kept(line: str, kept: str) -> None:
    assert measured(line)[1] == kept


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\x1c", "\x85", "\u2028"])
def test_lines_end_as_unicode_says(end: str) -> None:
    assert measured(f"{GOOD}{end}{GOOD}")[1] == f"{GOOD}\n{GOOD}"


def test_parameters_of_measuring() -> None:
    text = "A heading\nNo end here\nA long-long-word is here."
    assert measured(text)[1] == "A long-long-word is here."
    assert measured(text, terminal_punctuation=False)[1] == "No end here\nA long-long-word is here."
    assert measured(text, terminal_punctuation=False, min_words_per_line=2)[1] == text
    assert measured(text, max_word_length=14)[1] == "A long-long-word is here."
    assert measured(text, max_word_length=13)[1] == ""


def test_too_few_sentences() -> None:
    assert measured(FIVE)[2] == ""
    assert measured(FIVE.replace("! Is", ", is"))[2] == "c4_too_few_sentences"
    assert measured("")[2] == "c4_too_few_sentences"
    assert measured("", min_sentences=None)[2] == ""


LOREM = "Lorem IPSUM is filler."
CURLY = "The set {1} is small."


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([LOREM], "c4_lorem_ipsum"),
        ([CURLY], "c4_curly_bracket"),
        ([LOREM, CURLY], "c4_lorem_ipsum"),
        ([CURLY, LOREM], "c4_curly_bracket"),
        (["The set {1} is lorem ipsum."], "c4_lorem_ipsum"),
        ([CURLY, LOREM, CURLY, LOREM], "c4_curly_bracket"),
        (["Lorem ipsum with JavaScript here."], "c4_lorem_ipsum"),
        # Dropped before anyone looks for the bracket.
        (["function () { return javascript; }."], ""),
        (["{ is short."], "c4_curly_bracket"),
        (["{ short."], ""),
        (["lorem ipsum."], ""),
        (["Lorem ipsum is a heading here"], ""),
        # Looked at before the policy is.
        (["The {cookie policy} is here."], "c4_curly_bracket"),
    ],
)
def test_the_reason_is_what_comes_first(lines: list[str], reason: str) -> None:
    assert measured("\n".join([FIVE, *lines, FIVE]))[2] == reason


def test_a_rule_that_is_off_hides_no_other() -> None:
    text = "\n".join([FIVE, CURLY, LOREM])
    assert measured(text, max_curly_bracket=None)[2] == "c4_lorem_ipsum"
    values, rewritten, reason = measured(text, max_curly_bracket=None, max_lorem_ipsum=None)
    assert (values, rewritten, reason) == (
        {"lines": 3, "curly_bracket": 2, "lorem_ipsum": 3, "sentences": 7},
        text,
        "",
    )


def test_families_after_it_measure_what_it_leaves() -> None:
    text = f"Home\n{FIVE}\nAbout us\nContact"
    signals, texts = rules.measure(Texts.of([text]), rules.resolve(["c4", "fineweb"]))
    assert signals["fineweb_lines"].tolist() == [1]
    assert texts.to_list() == [FIVE]
    signals, texts = rules.measure(Texts.of([text]), rules.resolve(["fineweb", "c4"]))
    assert signals["fineweb_lines"].tolist() == [4]
    assert texts.to_list() == [FIVE]
