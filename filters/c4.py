"""The rules of C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2): which lines to keep, and which pages.

In comes a text, out come its numbers and the text again with only the lines that are prose, freed of Wikipedia's
citation marks. Order and detail are as in datatrove 0.10.1, except that a page with "lorem ipsum" or "{" is read to its
end all the same, so that its other numbers are whole. The paper's list of bad words is not applied.
"""

import re

from filters.family import Family, Rule, Values
from filters.text import Text, count_sentences

_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_TERMINALS = (".", "?", "!", '"', "'")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_ORIGIN = "C4, arXiv:1910.10683"


def measure(
    text: Text, *, terminal_punctuation: bool, min_words_per_line: int, max_word_length: int
) -> tuple[Values, Text]:
    """Signals of `c4`, and the text of the lines it keeps.

    lines: of `str.splitlines`. long_word_lines, unpunctuated_lines, short_lines, javascript_lines, policy_lines: those
    dropped for a word of more than `max_word_length` code points, for an end other than . ? ! " ' or for "..." (only
    where `terminal_punctuation`), for fewer than `min_words_per_line` words, and for what they speak of; a line counts
    under the first of these. lorem_ipsum, curly_bracket: the number, from 1, of the first line that holds it and was
    not dropped before it came to that, 0 without one. sentences: those in the kept lines.
    """
    values: Values = dict.fromkeys(FAMILY.signals, 0)
    values["lines"] = len(text.lines)
    kept = []
    for number, raw in enumerate(text.lines, 1):
        words = raw.split()
        # Not stripped again: a citation mark after a space leaves the space, and with it a line without an end.
        line = _CITATION.sub("", raw.strip())
        lowered = line.lower()
        if max(map(len, words), default=0) > max_word_length:
            values["long_word_lines"] += 1
            continue
        if terminal_punctuation and (not line.endswith(_TERMINALS) or line.endswith("...")):
            values["unpunctuated_lines"] += 1
            continue
        if len(words) < min_words_per_line:
            values["short_lines"] += 1
            continue
        if "lorem ipsum" in lowered:
            values["lorem_ipsum"] = values["lorem_ipsum"] or number
        if "javascript" in lowered:
            values["javascript_lines"] += 1
            continue
        if "{" in line:
            values["curly_bracket"] = values["curly_bracket"] or number
        if any(phrase in lowered for phrase in _POLICY):
            values["policy_lines"] += 1
            continue
        values["sentences"] += count_sentences(line)
        kept.append(line)
    rewritten = "\n".join(kept).strip()
    return values, text if rewritten == text.content else Text(rewritten)


FAMILY = Family(
    name="c4",
    measure=measure,
    signals={
        "lines": int,
        "long_word_lines": int,
        "unpunctuated_lines": int,
        "short_lines": int,
        "lorem_ipsum": int,
        "javascript_lines": int,
        "curly_bracket": int,
        "policy_lines": int,
        "sentences": int,
    },
    rules=(
        Rule("c4_lorem_ipsum", "lorem_ipsum", "max", 0, _ORIGIN, is_place=True),
        Rule("c4_curly_bracket", "curly_bracket", "max", 0, _ORIGIN, is_place=True),
        Rule("c4_too_few_sentences", "sentences", "min", 5, _ORIGIN),
    ),
    parameters={"terminal_punctuation": True, "min_words_per_line": 3, "max_word_length": 1000},
    rewrites=True,
)
