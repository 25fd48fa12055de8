"""What a tokenizer.json says, as tiktoken would have it: a pattern that cuts text, and the ids of entries in bytes.

What goes in: a tokenizer.json, parsed. What comes out: the pattern and the entries, or `UnlikeError` with the reason
why tiktoken cannot be relied on to give the ids that Hugging Face's tokenizers give. The patterns are those that both
are known to read alike (`tests/mixtures/test_fast_encoder.py` holds them equal on every character).

Why merging agrees: tiktoken joins the neighbours whose joint entry has the least id, the other one the pair that was
listed first, both the leftmost of equals. Neighbours that spell an entry were formed inside its bytes, by the steps
that its bytes alone go through, which end with one pair; so of the merges that lead to an entry only that pair's is
ever used, and where ids follow the order of merges these are the same steps. An entry to which its bytes alone do not
lead is met only as a whole piece, which tiktoken looks up first, and the other one where the file has `ignore_merges`.
"""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, pre_tokenizers

# GPT-2's pattern (Radford et al. 2019), which `ByteLevel` applies. In a file that splits off digits first, white space
# before a digit ends a piece, so that all of it stays together.
_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+"
GPT2 = rf"{_WORDS}| ?\p{{N}}+|{_REST}|\s+(?!\S)|\s+"
GPT2_WITH_SINGLE_DIGITS = rf"{_WORDS}|\p{{N}}|{_REST}|\s+(?![^\s\p{{N}}])|\s+"

# What `Split` has in the files of Llama 3, and of Qwen 2 to 3, which take digits one by one.
_SUFFIXES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_CONTRACTIONS = rf"{_SUFFIXES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LINES = rf"{_REST}[\r\n]*|{_SPACES}"
LLAMA3 = rf"{_CONTRACTIONS}|\p{{N}}{{1,3}}|{_LINES}"
QWEN = rf"{_CONTRACTIONS}|\p{{N}}|{_LINES}"
# tiktoken 0.14's of GPT-4 and GPT-4o, without its `++`, `{1,3}+` and `$`, which the other library reads as something
# else or not as fast. GPT-4's is Llama 3's, but that the white space at the end of a text is one piece.
CL100K = rf"{_CONTRACTIONS}|\p{{N}}{{1,3}}|{_REST}[\r\n]*|\s+\z|{_SPACES}"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = "|".join(
    rf"[^\r\n\p{{L}}\p{{N}}]?{word}{_SUFFIXES}?" for word in (f"{_UPPER}*{_LOWER}+", f"{_UPPER}+{_LOWER}*")
)
O200K = rf"{_CASED}|\p{{N}}{{1,3}}|{_REST}[\r\n/]*|{_SPACES}"

SPLITS = (LLAMA3, QWEN, CL100K, O200K)


class UnlikeError(ValueError):
    """Why a tokenizer is left to its own library."""


@dataclass(frozen=True)
class Alike:
    """A tokenizer as tiktoken has it: `pattern` cuts text; `ranks` are the bytes of each entry with its id, by which
    pieces are merged; `pairs` are the merges, uint32[n, 3] of left, right and joined id; `whole_pieces` is true where
    no merges lead to some entry.
    """

    pattern: str
    ranks: Mapping[bytes, int]
    pairs: NDArray[np.uint32]
    whole_pieces: bool


def read(described: Mapping[str, Any]) -> Alike:
    """Raises `UnlikeError` where tiktoken might give other ids."""
    pattern, entries = _pattern_of(described), _entries_of(described)
    whole_pieces = _check_merges(described, entries)
    byte_of = {letter: byte for byte, letter in letters().items()}
    try:
        ranks = {bytes(byte_of[letter] for letter in entry): number for entry, number in entries.items()}
    except KeyError as letter:
        raise UnlikeError(f"its vocabulary is not of bytes: {letter}") from letter
    merges: list[tuple[str, str]] = described["model"]["merges"]
    pairs = [(entries[left], entries[right], entries[left + right]) for left, right in merges]
    return Alike(pattern, ranks, np.array(pairs, np.uint32).reshape(-1, 3), whole_pieces)


def _pattern_of(described: Mapping[str, Any]) -> str:
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


def splitter_of(pattern: str) -> dict[str, Any]:
    """The pre-tokenizer of a tokenizer.json that splits by a pattern."""
    whole = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": pattern == GPT2}
    if pattern == GPT2:
        return whole
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, whole]}


def _entries_of(described: Mapping[str, Any]) -> dict[str, int]:
    """Every entry that is no special token; tiktoken merges by id, so ids have to follow the order of the merges."""
    model = described["model"]
    if model["type"] != "BPE":
        raise UnlikeError(f"it is {model['type']} and no BPE")
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model[option]:
            raise UnlikeError(f"its BPE has {option}")
    if any(not token["special"] for token in described["added_tokens"]):
        raise UnlikeError("it has added tokens that are not special, which are found in texts")
    vocabulary: dict[str, int] = model["vocab"]
    merged = [vocabulary[left + right] for left, right in model["merges"]]
    if any(before > after for before, after in pairwise(merged)):
        raise UnlikeError("its ids are not in the order of its merges")
    if not set(letters().values()) <= vocabulary.keys():
        raise UnlikeError("some bytes are not in its vocabulary")
    special = {token["content"] for token in described["added_tokens"]}
    if met := _met_in_texts(described, special & vocabulary.keys()):
        raise UnlikeError(f"texts have the entry of a special token, {min(met)!r}")
    return {entry: number for entry, number in vocabulary.items() if entry not in special}


def _met_in_texts(described: Mapping[str, Any], special: Set[str]) -> Set[str]:
    """Those that are a byte's, or a merge's, or a whole piece where such are looked up first."""
    model = described["model"]
    met = special & {*letters().values(), *(part for pair in model["merges"] for part in (*pair, "".join(pair)))}
    if special and model["ignore_merges"]:
        splitter, decoder = Tokenizer.from_str(json.dumps(described)).pre_tokenizer, decoders.ByteLevel()
        for token in special:
            met |= {piece for piece, _ in splitter.pre_tokenize_str(decoder.decode([token])) if piece == token}
    return met


def _check_merges(described: Mapping[str, Any], entries: Mapping[str, int]) -> bool:
    """Raise `UnlikeError` unless the merges alone lead from each entry's bytes to it, or to what nothing merges.

    Returns whether there are such as the latter.
    """
    whole_pieces = False
    whole_first = described["model"]["ignore_merges"]
    plain = {**described["model"], "ignore_merges": False}
    model = Tokenizer.from_str(json.dumps({**described, "model": plain})).model
    for entry, number in entries.items():
        parts = model.tokenize(entry)
        if [part.id for part in parts] == [number]:
            continue
        joined = (left.value + right.value for left, right in pairwise(parts))
        if not whole_first or any(neighbours in entries for neighbours in joined):
            raise UnlikeError(f"its merges do not lead to its entry {entry!r}")
        whole_pieces = True
    return whole_pieces


def letters() -> dict[int, str]:
    """The letter that stands for each byte in a byte-level vocabulary: printable ones for themselves, then the rest."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    found = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    assert set(found.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    return found
