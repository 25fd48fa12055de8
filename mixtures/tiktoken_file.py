"""A tiktoken file as a tokenizer.json, so that everything after it has one format.

What goes in: lines of a token's bytes, in base64, and its rank; the pattern that cuts text, which the file does not
say; the token that ends documents. What comes out: a byte-level BPE whose merges are recovered from the ranks: an
entry's is of the two parts to which entries of smaller rank merge its bytes. What stays true: the ids are tiktoken's
own, which is proven on hard texts before anything else is done with the file; that a pattern of one's own cuts them
alike is proven on its own, since what it cuts apart may be what these ranks do not merge.
"""

import base64
import binascii
import codecs
import contextlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import tiktoken
from tokenizers import Regex, Tokenizer, pre_tokenizers

from corpus.strict import unknown
from mixtures.byte_level import CL100K, GPT2, LLAMA3, O200K, letters, splitter_of
from mixtures.fast_encoder import reference
from mixtures.hard_texts import HARD

PATTERNS = {"gpt2": GPT2, "cl100k_base": CL100K, "o200k_base": O200K, "llama3": LLAMA3}
# The same texts, cut by what tiktoken 0.14 has under these names, of which the other library reads `++` differently.
_PUBLISHED = {
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": GPT2,
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|"
    r"\s+(?!\S)|\s": CL100K,
}
_LARGEST_ID = (1 << 31) - 1
_NAME = re.compile(r"[\w.-]+")
_LINE = re.compile(rb"([A-Za-z0-9+/]+={0,2}) (\d+)")


def is_tiktoken(data: bytes) -> bool:
    """Whether the first line that is not blank is a token and its rank."""
    return _LINE.fullmatch(data.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0].rstrip()) is not None


# Asked when the recipe is checked and when its tokenizer step runs; 200,000 entries take seconds.
@lru_cache(maxsize=1)
def to_json(data: bytes, path: str, pattern: str | None, eos: str, eos_id: int | None) -> bytes:
    """The tokenizer.json of a tiktoken file; `path` is for messages.

    `pattern` is one of PATTERNS by name, or a regular expression; `eos_id` is the id after the highest rank unless
    given. Raises `ValueError` for a damaged file, a pattern that is missing, unknown or read differently by Hugging
    Face's tokenizers than by tiktoken, and an end token whose text or id is an entry's.
    """
    if pattern is None:
        raise ValueError(
            f"{path} is a tiktoken file, which does not say how text is cut: give tokenizer.pattern, one of "
            f"{', '.join(PATTERNS)} or a regular expression"
        )
    if _NAME.fullmatch(pattern) and pattern not in PATTERNS:
        raise ValueError(unknown(pattern, PATTERNS, "pattern"))
    expression = PATTERNS.get(pattern) or _PUBLISHED.get(pattern, pattern)
    ranks = _read(data, path)
    if eos_id is None:
        eos_id = max(ranks.values()) + 1
    if eos_id > _LARGEST_ID:
        raise ValueError(f"{path}: tokenizer.eos_id {eos_id:,} is larger than the largest id, {_LARGEST_ID:,}")
    if eos_id in ranks.values():
        raise ValueError(f'{path}: tokenizer.eos_id {eos_id} is the rank of an entry; give the id that "{eos}" has')
    letter = letters()
    entries = {"".join(letter[byte] for byte in entry): rank for entry, rank in ranks.items()}
    if eos in entries:
        raise ValueError(f'{path}: "{eos}" is an entry as well, of rank {entries[eos]}; give another tokenizer.eos')
    written = _described(ranks, {**entries, eos: eos_id}, expression, eos, eos_id)
    _prove(written, ranks, expression, path, eos)
    return written.encode()


def _read(data: bytes, path: str) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        found = _LINE.fullmatch(line.rstrip())
        if not found:
            if not line.strip():
                continue
            raise ValueError(f"{path}, line {number}: {line[:40]!r} is no base64 token and rank; get the file anew")
        try:
            token = base64.b64decode(found[1], validate=True)
        except binascii.Error as error:
            raise ValueError(f"{path}, line {number}: {found[1][:40]!r} is no base64 ({error}); get it anew") from error
        if token in ranks:
            raise ValueError(f"{path}, line {number}: the token {token!r} is there twice; get the file anew")
        ranks[token] = int(found[2])
        if ranks[token] > _LARGEST_ID:
            raise ValueError(
                f"{path}, line {number}: the rank {ranks[token]:,} is larger than the largest id, {_LARGEST_ID:,}; "
                "get the file anew"
            )
    if len(set(ranks.values())) < len(ranks):
        raise ValueError(f"{path}: two tokens have the same rank; get the file anew")
    if missing := [byte for byte in range(256) if bytes([byte]) not in ranks]:
        raise ValueError(f"{path}: no token for the byte 0x{missing[0]:02x}, so not every text can be encoded")
    return ranks


def _described(ranks: Mapping[bytes, int], vocabulary: Mapping[str, int], pattern: str, eos: str, eos_id: int) -> str:
    letter = letters()
    merges, whole = [], False
    for entry in sorted(ranks, key=ranks.__getitem__):
        parts = _merged(entry, ranks)
        if len(parts) == 2:
            merges.append(["".join(letter[byte] for byte in part) for part in parts])
        # No merges lead to such an entry: it is only found as a whole piece.
        whole |= len(parts) > 2
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    options = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    described = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": eos_id, "content": eos, **flags}],
        "normalizer": None,
        "pre_tokenizer": splitter_of(pattern),
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "model": {
            "type": "BPE",
            **options,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": whole,
            "vocab": vocabulary,
            "merges": merges,
        },
    }
    return json.dumps(described, ensure_ascii=False)


def _merged(entry: bytes, ranks: Mapping[bytes, int]) -> list[bytes]:
    """What an entry's bytes are merged to by entries of smaller rank."""
    own = ranks[entry]
    parts = [entry[n : n + 1] for n in range(len(entry))]
    while len(parts) > 1:
        joined = [ranks.get(left + right, own) for left, right in pairwise(parts)]
        least = min(joined)
        if least >= own:
            break
        at = joined.index(least)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def assigned(text: str) -> str:
    """The text without characters of a newer Unicode than Python's, of which either library knows other ones."""
    return "".join(character for character in text if unicodedata.category(character) != "Cn")


def _prove(written: str, ranks: dict[bytes, int], pattern: str, path: str, eos: str) -> None:
    """Raise `ValueError` at the first hard text whose ids are not tiktoken's, or that a pattern cuts differently."""
    texts = [assigned(text) for text in [*HARD, eos, f"a{eos} {eos}b"]]
    if pattern not in PATTERNS.values():
        _prove_cuts(pattern, path, texts)
    ours: Tokenizer = Tokenizer.from_str(written)
    ours.encode_special_tokens = True
    theirs = tiktoken.Encoding(path, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    for text, ids in zip(texts, reference(ours, texts), strict=True):
        _compare(text, ids.tolist(), theirs.encode_ordinary(text), pattern, path)


def _prove_cuts(pattern: str, path: str, texts: Sequence[str]) -> None:
    """The same by a vocabulary of the pieces that one library cuts, and each joined to the next.

    These pieces are tokens. Were a piece of the other's made of several, they would have been joined.
    """
    with _usable(pattern):
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        cut = [[piece.encode() for piece, _ in split.pre_tokenize_str(text)] for text in texts]
        bytes_and_nothing = {b"", *(bytes([byte]) for byte in range(256))}
        entries = bytes_and_nothing.union(*cut, *(map(b"".join, pairwise(pieces)) for pieces in cut))
        ranks = {entry: rank for rank, entry in enumerate(sorted(entries, key=lambda entry: (len(entry), entry)))}
        theirs = tiktoken.Encoding(path, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        wanted = [theirs.encode_ordinary(text) for text in texts]
    if any(ranks[b""] in ids for ids in wanted):
        raise ValueError(f"tokenizer.pattern {pattern!r} matches the empty string, which is no piece of a text")
    for text, pieces, ids in zip(texts, cut, wanted, strict=True):
        _compare(text, [ranks[piece] for piece in pieces], ids, pattern, path)


@contextlib.contextmanager
def _usable(pattern: str) -> Iterator[None]:
    """Raise `ValueError` for whatever the libraries, both written in Rust, have against a regular expression."""
    try:
        yield
    # Exception or ValueError for one that they cannot read. For one that takes too many steps they panic, which is no
    # Exception, by a class that can't be imported.
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"tokenizer.pattern {pattern!r} is no regular expression that can be used: {error}") from error


def _compare(text: str, ids: list[int], wanted: list[int], pattern: str, path: str) -> None:
    if ids != wanted:
        at = next((n for n, (a, b) in enumerate(zip(ids, wanted, strict=False)) if a != b), min(len(ids), len(wanted)))
        raise ValueError(
            f"{path} with tokenizer.pattern {pattern!r}: tiktoken and Hugging Face's tokenizers differ on "
            f"{text[:40]!r} from token {at} on; these patterns are read alike: {', '.join(PATTERNS)}"
        )
