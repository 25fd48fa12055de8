"""Encoding by tiktoken where it gives the ids that the tokenizer.json's own library gives, 4 to 40 times as fast.

What goes in: a tokenizer and texts. What comes out: arrays of ids. What stays true: they are the ids of Hugging Face's
tokenizers. A file is taken over only where its pattern is one that both are known to read alike and its merges are
such that both must agree; a hard sample is then encoded by both all the same; and the two kinds of text that tiktoken
cannot take, or might split differently, go to the other. With GPT-2's patterns kernels cut the texts, and tiktoken only
merges the pieces that were not seen before (`mixtures/piece_cache.py`).

Why merging agrees: tiktoken joins the neighbours whose joint entry has the least id, the other one the pair that was
listed first, both the leftmost of equals. Where each entry has one merge, ids follow the order of merges and every
entry's own bytes are merged to it, these are the same pairs: neighbours that spell an entry were formed inside its
bytes, by the steps that its bytes alone go through, and those end with the listed pair.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Self

import numpy as np
import tiktoken
from numpy.typing import NDArray
from tokenizers import Tokenizer, pre_tokenizers

from kernels.texts import Texts
from mixtures import tokenizer
from mixtures.piece_cache import Merge, PieceCache

# GPT-2's pattern (Radford et al. 2019), which `ByteLevel` applies. In a file that splits off digits first, white space
# before a digit ends a piece, so that all of it stays together.
_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+"
GPT2 = rf"{_WORDS}| ?\p{{N}}+|{_REST}|\s+(?!\S)|\s+"
GPT2_WITH_SINGLE_DIGITS = rf"{_WORDS}|\p{{N}}|{_REST}|\s+(?![^\s\p{{N}}])|\s+"

# What `Split` has in the files of GPT-4 and Llama 3, and of Qwen 2 to 3, which take digits one by one.
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_LINES = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = (rf"{_CONTRACTIONS}|\p{{N}}{{1,3}}|{_LINES}", rf"{_CONTRACTIONS}|\p{{N}}|{_LINES}")

# tiktoken's regular expressions panic where they go back over a million characters of white space (not over 600,000).
_TOO_MUCH_SPACE = 10_000
_MUCH_SPACE = re.compile(rf"(?<!\s)\s{{{_TOO_MUCH_SPACE}}}")

# Either library has its own version of Unicode; they disagree on 13 characters that Unicode 17 added as numbers. So
# what is not assigned in Python's, which is older than both, is left to the library whose ids count.
_UNASSIGNED = "".join(chr(c) for c in range(0x10000) if unicodedata.category(chr(c)) == "Cn")
_MAYBE_NEW = re.compile(f"[{_UNASSIGNED}\U00010000-\U0010ffff]")

# Never a character (Unicode 23.7), and so "not assigned" for ever.
_BETWEEN = "\U0010ffff"

# Every kind of white space, number, mark and case that patterns tell apart, and what has broken encoders before.
HARD = [
    *(before + chr(c) * n + after for c in range(0x250) for before, n, after in (("a", 1, "b"), (" ", 2, "1"))),
    *(f"x{space * n}{after}" for space in " \t\n\r\v\f\x85\xa0\u1680\u2003\u2028\u202f\u3000\ufeff\u200b\x1c"
      for n in (1, 2, 3, 17) for after in ("", "x", "1", "!", "\n ", " \n", "'s", "é", "日")),
    "it's IT'S we'll WE'LL don't I'd you've they're 's 'S ''s 'ſ x'st", "1 12 123 1234 12345 1,234.5 ٣٤٥ Ⅷ ² ½ 四 १२३",
    "e\u0301 n\u0303o \u0301 a\u0300\u0301\u0302 \u200d\u200c क्षि กำ", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 ☺️ 🦊🦊🦊",
    "日本語のテキスト、漢字かな交じり文。 中文 한국어 ไทย العربية עברית Ελληνικά кириллица ǅ ﬁ İi ß ẞ",
    "<|endoftext|> <|endoftext|><|im_start|> <s></s>[INST] <pad> <unk>", "a" * 3000, "ab" * 1500, "!?" * 500,
    "é" * 500, "".join(chr(97 + i * i % 26) for i in range(3000)), "=" * 300 + "\n" * 300 + " " * 300 + "1" * 300,
    "\0\x01\x7f\ufffd\uffff", "def f(x):\n\tif x:\n\t\treturn  x  # y\r\n\r\n", "https://example.org/a_b-c?d=%20&e#f",
    "CamelCaseWords snake_case 1st 2nd x1y2z3",
    *("".join(map(chr, range(start, start + 512)))
      for start in (*range(0x250, 0x3000, 512), 0xA000, 0xF900, 0xFE00, 0x1D400, 0x1F300)),
]  # fmt: skip


class UnlikeError(ValueError):
    """Why a tokenizer is not encoded by tiktoken."""


@dataclass(frozen=True)
class Encoder:
    """Encodes texts, by tiktoken unless `reason` says why not; `cache` has the pieces it merged, where it is known how
    to cut them."""

    tokenizer: Tokenizer
    fast: tiktoken.Encoding | None
    cache: PieceCache | None
    reason: str | None

    @classmethod
    def of(cls, loaded: Tokenizer) -> Self:
        """The encoder of a tokenizer as `tokenizer.load` gives it. The comparison takes up to a second."""
        return cls(loaded, *_build(loaded.to_str()))

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
        """The ids of each text; nothing is added before or after, and no text is read as a special token."""
        ids, offsets = self.encode_batch(Texts.of(texts))
        return np.split(ids, offsets[1:-1]) if texts else []

    def encode_batch(self, texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The ids of all texts end to end, and where those of each start: one more than texts."""
        if self.cache is None:
            return _joined([self._encode(text) for text in texts.to_list()])
        ids, offsets, unknown = self.cache.encode(texts)
        if not unknown.any():
            return ids, offsets
        each = np.split(ids, offsets[1:-1])
        strings = texts.to_arrow()
        for row in np.flatnonzero(unknown):
            each[row] = tokenizer.encode(self.tokenizer, [strings[int(row)].as_py()])[0]
        return _joined(each)

    def _encode(self, text: str) -> NDArray[np.uint32]:
        if self.fast is None or _is_read_differently(text):
            return tokenizer.encode(self.tokenizer, [text])[0]
        return np.array(self.fast.encode_ordinary(text), np.uint32)


def _joined(each: Sequence[NDArray[np.uint32]]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    offsets = np.cumsum([0, *map(len, each)], dtype=np.int64)
    return np.concatenate([np.empty(0, np.uint32), *each]), offsets


def _is_read_differently(text: str) -> bool:
    if len(text) >= _TOO_MUCH_SPACE and _MUCH_SPACE.search(text):
        return True
    return not text.isascii() and any(unicodedata.category(c) == "Cn" for c in set(_MAYBE_NEW.findall(text)))


# A worker encodes part after part with the same tokenizer.
@lru_cache(maxsize=4)
def _build(definition: str) -> tuple[tiktoken.Encoding | None, PieceCache | None, str | None]:
    described = json.loads(definition)
    try:
        pattern, ranks = _pattern(described), _ranks(described)
        fast = tiktoken.Encoding("tokenizer.json", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        _compare(definition, fast)
    except UnlikeError as reason:
        return None, None, str(reason)
    if pattern in SPLITS:
        return fast, None, None
    return fast, PieceCache(_merger(ranks), pattern == GPT2_WITH_SINGLE_DIGITS), None


def _merger(ranks: Mapping[bytes, int]) -> Merge:
    """Merges pieces that have been cut already: by one call for many, with what is in no text between them."""
    between = max(ranks.values()) + 1
    pattern = f"{_BETWEEN}|[^{_BETWEEN}]+"
    with_it = {**ranks, _BETWEEN.encode(): between}
    whole = tiktoken.Encoding("pieces", pat_str=pattern, mergeable_ranks=with_it, special_tokens={})

    def merge(pieces: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        # Texts with this character are not encoded here in the end, but their pieces are.
        joined = _BETWEEN.join(piece.replace(_BETWEEN, " ") for piece in pieces)
        ids = whole.encode_to_numpy(joined)
        ends = np.append(np.flatnonzero(ids == between), len(ids))
        return ids[ids != between], np.diff(ends, prepend=-1) - 1

    return merge


def _compare(definition: str, fast: tiktoken.Encoding) -> None:
    own: Tokenizer = Tokenizer.from_str(definition)
    own.encode_special_tokens = True
    for text, ids in zip(HARD, tokenizer.encode(own, HARD), strict=True):
        if not _is_read_differently(text) and fast.encode_ordinary(text) != ids.tolist():
            raise UnlikeError(f"tiktoken's ids differ for {text[:40]!r}")


def _pattern(described: Mapping[str, Any]) -> str:
    """The regular expression that splits text into the pieces that are merged inside."""
    if described["normalizer"] is not None:
        raise UnlikeError(f"it has a normalizer ({described['normalizer']['type']})")
    splitter = described["pre_tokenizer"] or {"type": "no pre-tokenizer"}
    match splitter.get("pretokenizers", [splitter]):
        case [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]:
            return GPT2
        case [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        ]:
            return GPT2_WITH_SINGLE_DIGITS
        case [
            {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ] if pattern in SPLITS:
            return pattern
    raise UnlikeError(f"its pre-tokenizer ({splitter['type']}) is none of those known to be alike")


def _ranks(described: Mapping[str, Any]) -> dict[bytes, int]:
    """The bytes of each entry with its id, by which tiktoken merges: so ids have to follow the order of the merges."""
    model = described["model"]
    if model["type"] != "BPE":
        raise UnlikeError(f"it is {model['type']} and no BPE")
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model[option]:
            raise UnlikeError(f"its BPE has {option}")
    if described["truncation"] or described["padding"]:
        raise UnlikeError("it truncates or pads")
    if any(not token["special"] for token in described["added_tokens"]):
        raise UnlikeError("it has added tokens that are not special, which are found in texts")
    vocabulary: dict[str, int] = model["vocab"]
    merged = [vocabulary[left + right] for left, right in model["merges"]]
    if any(before >= after for before, after in pairwise(merged)):
        raise UnlikeError("its ids are not in the order of its merges, one for each")
    special = {token["content"] for token in described["added_tokens"]}
    bytes_of = _bytes_of()
    if not bytes_of.keys() <= vocabulary.keys():
        raise UnlikeError("some bytes are not in its vocabulary")
    entries = {entry: number for entry, number in vocabulary.items() if entry not in special}
    _check_merges(described, entries)
    try:
        return {bytes(bytes_of[letter] for letter in entry): number for entry, number in entries.items()}
    except KeyError as letter:
        raise UnlikeError(f"its vocabulary is not of bytes: {letter}") from letter


def _check_merges(described: Mapping[str, Any], entries: Mapping[str, int]) -> None:
    """Raise `UnlikeError` unless the merges alone lead from each entry's bytes to it."""
    plain = {**described["model"], "ignore_merges": False}
    model = Tokenizer.from_str(json.dumps({**described, "model": plain})).model
    for entry, number in entries.items():
        if [token.id for token in model.tokenize(entry)] != [number]:
            raise UnlikeError(f"its merges do not lead to its entry {entry!r}")


def _bytes_of() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for: printable ones for themselves, then the rest."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    found = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    assert found.keys() == set(pre_tokenizers.ByteLevel.alphabet())
    return found
