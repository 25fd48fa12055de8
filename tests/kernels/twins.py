"""Kernels in plain Python: slow, obvious, and what they are held to on every text the tests can think of."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from corpus.hashing import keyed
from kernels import characters as tables
from kernels.characters import SYMBOLS, TERMINALS, fold

Values = dict[str, float]

_STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_LINE_BREAK = re.compile(r"\n+")
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_TERMINALS = (".", "?", "!", '"', "'")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_SENTENCE_BOUNDARY = re.compile(r"""[.!?]["'”’»)\]]*\s""")
_SHORT_LINE = 30
_UNSPACED = set(tables.code_points(tables._UNSPACED))
_KATAKANA = set(tables.code_points(tables._KATAKANA))


def script(character: str) -> str:
    if unicodedata.category(character)[0] != "L" and unicodedata.category(character) != "Nl":
        return "spaced"
    return "unspaced" if character in _UNSPACED else "katakana" if character in _KATAKANA else "spaced"


def is_mark(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "M" or (category == "Cf" and character != "\u200b") or character in "\uff9e\uff9f"


def words(text: str) -> list[str]:
    found = []
    for token in text.split():
        word, kind = token[0], script(token[0])
        for character in token[1:]:
            if is_mark(character) or (kind != "unspaced" and script(character) == kind):
                word += character
            else:
                found.append(word)
                word, kind = character, script(character)
        found.append(word)
    return found


def is_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def normal(word: str) -> str:
    """A word's letters, digits and marks, without case."""
    return "".join(fold(c) for c in word if is_word(c))


def quality(content: str) -> Values:
    found, lines = words(content), content.splitlines()
    lengths = [len(word) for word in found if word.strip(SYMBOLS)]
    n_words, n_lines = max(len(found), 1), max(len(lines), 1)
    return {
        "words": len(lengths),
        "mean_word_length": sum(lengths) / max(len(lengths), 1),
        "hash_ratio": content.count("#") / n_words,
        "ellipsis_ratio": (content.count("...") + content.count("…")) / n_words,
        "bullet_line_ratio": sum(line.lstrip().startswith(("•", "-")) for line in lines) / n_lines,
        "ellipsis_line_ratio": sum(line.rstrip().endswith(("...", "…")) for line in lines) / n_lines,
        "alpha_word_ratio": sum(any(map(str.isalpha, word)) for word in found) / n_words,
        "stop_words": len(_STOP_WORDS.intersection(found)),
    }


def repetition(content: str) -> Values:
    found = words(content)
    n_characters = max(len(content), 1)
    values: Values = {"characters": len(content)}
    paragraphs = _PARAGRAPH_BREAK.split(content.strip())
    for kind, parts in ("paragraph", paragraphs), ("line", _LINE_BREAK.split(content)):
        repeats, characters = duplicates(parts)
        values[f"duplicate_{kind}_ratio"] = repeats / len(parts)
        values[f"duplicate_{kind}_character_ratio"] = characters / n_characters
    for n in (2, 3, 4):
        values[f"top_{n}_gram_ratio"] = _top_ngram_characters(found, n) / n_characters
    for n in range(5, 11):
        values[f"duplicate_{n}_gram_ratio"] = _duplicate_ngram_characters(found, n) / n_characters
    return values


def _ngrams(found: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(found[i:] for i in range(n)), strict=False)


def _top_ngram_characters(found: list[str], n: int) -> int:
    """Of equally frequent ones the first met counts, and one that occurs once counts too."""
    counts = Counter(_ngrams(found, n))
    if not counts:
        return 0
    top = max(counts, key=counts.__getitem__)
    return (sum(map(len, top)) + n - 1) * counts[top]


def _duplicate_ngram_characters(found: list[str], n: int) -> int:
    """A repeat is counted whole and its n words passed over, so no character counts twice.

    The words are compared run together, as datatrove does: "a bc" repeats "ab c".
    """
    seen = set()
    characters = resume = 0
    for start, ngram in enumerate(map("".join, _ngrams(found, n))):
        if start < resume:
            continue
        if ngram in seen:
            characters += len(ngram)
            resume = start + n
        else:
            seen.add(ngram)
    return characters


def c4(
    text: str, terminal_punctuation: bool, min_words_per_line: int, max_word_length: int
) -> tuple[Counter[str], str]:
    values: Counter[str] = Counter()
    values["lines"] = len(text.splitlines())
    kept = []
    for number, raw in enumerate(text.splitlines(), 1):
        tokens = raw.split()
        # Not stripped again: a citation mark after a space leaves the space, and with it a line without an end.
        line = _CITATION.sub("", raw.strip())
        lowered = line.lower()
        if max(map(len, tokens), default=0) > max_word_length:
            values["long_word_lines"] += 1
            continue
        if terminal_punctuation and (not line.endswith(_TERMINALS) or line.endswith("...")):
            values["unpunctuated_lines"] += 1
            continue
        if len(tokens) < min_words_per_line:
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
    return values, "\n".join(kept).strip()


def fineweb(content: str) -> Values:
    found = words(content)
    newlines = content.count("\n")
    lines = [line for line in content.split("\n") if line and not line.isspace()]
    n_lines = max(len(lines), 1)
    return {
        "lines": len(lines),
        "punctuated_line_ratio": sum(line[-1] in TERMINALS for line in lines) / n_lines,
        "short_line_ratio": sum(len(line) <= _SHORT_LINE for line in lines) / n_lines,
        "duplicate_character_ratio": duplicates(lines)[1] / max(len(content) - newlines, 1),
        "newline_ratio": newlines / len(found) if found else 0.0,
    }


def count_sentences(line: str) -> int:
    """The sentences in one line of text: at least one, and one more at every boundary inside it.

    A boundary is one of . ! ? with any closing quotes and brackets after it, and then whitespace: what an abbreviation
    costs ("e.g. this" counts two) is the price of a rule that needs no model and one pass.
    """
    return 1 + len(_SENTENCE_BOUNDARY.findall(line.strip()))


def duplicates(parts: Sequence[str]) -> tuple[int, int]:
    """How many of the parts repeat an earlier one, and how many characters these hold together."""
    unique = set(parts)
    return len(parts) - len(unique), sum(map(len, parts)) - sum(map(len, unique))


_COUNTER = re.compile(
    r"\d[\d,.]*[KkMmBb]?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views"
    r"|followers)"
)


def refinedweb(text: str, max_uppercase_ratio: float) -> tuple[Counter[str], float, str]:
    """The counts, the share of words removed, and the text that is left."""
    faults: Counter[str] = Counter()
    kept, removed = [], 0
    for line in text.split("\n"):
        if fault := _fault(line, max_uppercase_ratio):
            faults[fault] += 1
            removed += len(words(line))
        else:
            kept.append(line)
    return faults, removed / max(len(words(text)), 1), "\n".join(kept)


def _fault(line: str, max_uppercase_ratio: float) -> str:
    visible = "".join(line.split())
    if not visible:
        return ""
    if sum(map(str.isupper, visible)) > max_uppercase_ratio * len(visible):
        return "uppercase_lines"
    if visible.isdecimal():
        return "digit_lines"
    spoken = [place for place, character in enumerate(line) if is_word(character) or character == "_"]
    if spoken and _COUNTER.fullmatch(line[spoken[0] : spoken[-1] + 1]):
        return "counter_lines"
    if len(words(line)) == 1:
        return "one_word_lines"
    stripped = line.strip()
    boilerplate = stripped.startswith("Sign-in") or stripped.endswith("Read more...") or "items in cart" in stripped
    return "boilerplate_lines" if boilerplate and len(words(line)) <= 10 else ""


def counts(text: str) -> Values:
    total = max(len(text), 1)
    return {
        "characters": len(text),
        "words": len(words(text)),
        "lines": sum(bool(line.strip()) for line in text.split("\n")),
        "digit_ratio": sum(map(str.isdecimal, text)) / total,
        "uppercase_ratio": sum(map(str.isupper, text)) / total,
        "punctuation_ratio": sum(unicodedata.category(c)[0] == "P" for c in text) / total,
        "space_ratio": sum(map(str.isspace, text)) / total,
    }


_64 = (1 << 64) - 1


def mixed(state: int, value: int) -> int:
    state = (state ^ value) * 0xD6E8FEB86659FD93 & _64
    return state ^ state >> 32


def hashed(values: Sequence[int], state: int = 0) -> int:
    for value in values:
        state = mixed(state, value)
    return state


def hashed_word(word: str) -> int:
    """The hash of a normal word: a polynomial, mixed."""
    value = 0
    for character in word:
        value = (value * 0x9E3779B97F4A7C15 + ord(character) + 1) & _64
    return mixed(value, 0)


def shingles(text: str, ngram: int) -> list[int]:
    spoken = [hashed_word(word) for word in map(normal, words(text)) if word]
    length = min(ngram, len(spoken))
    return [hashed(spoken[i : i + length]) for i in range(len(spoken) - length + 1)] if length else []


def band_hashes(text: str, bands: int, rows: int, ngram: int) -> list[int]:
    numbers = keyed(np.arange(2 * bands * rows, dtype=np.uint64), "minhash").tolist()
    short = [shingle >> 32 for shingle in shingles(text, ngram)]
    if not short:
        return [0] * bands
    minima = [
        min((shingle * (multiply | 1) + add) & 0xFFFFFFFF for shingle in short)
        for multiply, add in zip(numbers[: bands * rows], numbers[bands * rows :], strict=True)
    ]
    return [hashed(minima[band * rows : (band + 1) * rows], state=band + 1) | 1 for band in range(bands)]


def compared_text(text: str) -> str:
    """What two texts have in common that are exact duplicates."""
    return " ".join("".join(map(fold, text)).split())


def lines(text: str) -> list[str]:
    return text.split("\n")


def paragraphs(text: str) -> list[str]:
    """Runs of lines that are not blank with the blank lines after them; those before the first are by themselves."""
    found: list[list[str]] = [[]]
    for before, line in itertools.pairwise(["-", *lines(text)]):
        if line.strip() and not before.strip():
            found.append([])
        found[-1].append(line)
    return ["\n".join(of_one) for of_one in found]


def compared_unit(unit: str) -> str:
    """What two lines or paragraphs have in common that are repeats of each other: wherever they are wrapped."""
    kept = []
    for character in unit.replace("\n", " "):
        category = unicodedata.category(character)
        if category == "Nd":
            kept.append("0")
        elif category[0] != "P" and category not in ("Cc", "Cf"):
            kept.append(fold(character))
    return "".join(kept).strip()


def components(edges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The smallest vertex of each vertex's component, by spreading it until nothing changes."""
    label = {vertex: vertex for edge in edges for vertex in edge}
    changed = True
    while changed:
        changed = False
        for a, b in edges:
            least = min(label[a], label[b])
            changed |= label[a] != least or label[b] != least
            label[a] = label[b] = least
    return label


def address(vertex: int, root: int, first: int) -> list[tuple[int, int]]:
    """What is kept of a star when all edges to the vertices from `first` on are known."""
    if root >= first:
        return [(vertex, root)]
    if vertex >= first:
        return [(root, vertex)]
    return [] if vertex == root else [(vertex, root)]
