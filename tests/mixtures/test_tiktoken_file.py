"""A tiktoken file's ids are tiktoken's own: by the patterns that the package itself carries, on files made here."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import tiktoken_ext.openai_public as published
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from kernels.texts import Texts
from mixtures import tokenizer
from mixtures.byte_level import LLAMA3, QWEN, letters
from mixtures.hard_texts import HARD
from mixtures.json_tokenizer import JsonTokenizer
from mixtures.tiktoken_file import assigned

EOS = "<|endoftext|>"
TEXTS = [
    "The quick brown fox jumps over the lazy dog's 1984 back. IT'S",
    "日本語 der Fluß, à côté 🦊",
    "\n\n\tx  y",
] * 30


@cache
def trained() -> dict[str, Any]:
    """A byte-level BPE of 700 entries without special tokens, as tokenizers trains it."""
    made: Tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, whole])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXTS + HARD, trainer)
    described: dict[str, Any] = json.loads(made.to_str())
    return described


@cache
def ranks() -> dict[bytes, int]:
    byte_of = {letter: byte for byte, letter in letters().items()}
    return {bytes(byte_of[c] for c in entry): rank for entry, rank in trained()["model"]["vocab"].items()}


def write(folder: Path, entries: Mapping[bytes, int]) -> str:
    """A tiktoken file, under a name that does not say so."""
    path = folder / "ranks.txt"
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in entries.items()))
    return str(path)


def adopted(folder: Path, entries: Mapping[bytes, int], pattern: str, eos_id: int | None = None) -> JsonTokenizer:
    given = tokenizer.adopt(write(folder, entries), pattern, None, eos_id)
    assert given.file == "tokenizer.json"
    return JsonTokenizer(given.data, given.file, given.eos)


def ids(loaded: JsonTokenizer, texts: list[str]) -> list[list[int]]:
    found, offsets = loaded.encode_batch(Texts.of(texts))
    return [found[start:end].tolist() for start, end in pairwise(offsets)]


def own_pattern(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the tiktoken package has for an encoding, whose ranks it would download."""
    if name == "llama3":
        return LLAMA3
    for loader in ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"):
        monkeypatch.setattr(published, loader, lambda *_, **__: {})
    pattern: str = published.ENCODING_CONSTRUCTORS[name]()["pat_str"]
    return pattern


@pytest.fixture(params=["gpt2", "cl100k_base", "o200k_base", "llama3"])
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[JsonTokenizer, tiktoken.Encoding]:
    theirs = tiktoken.Encoding(
        "own", pat_str=own_pattern(request.param, monkeypatch), mergeable_ranks=ranks(), special_tokens={}
    )
    return adopted(tmp_path, ranks(), request.param), theirs


def test_ids_are_those_of_tiktokens_own_pattern(pair: tuple[JsonTokenizer, tiktoken.Encoding]) -> None:
    ours, theirs = pair
    assert ours.encoded_by == "kernels and tiktoken"
    texts = [*map(assigned, HARD), "end \n ", "end\n\n", " \n  ", "a\r\n \t", EOS]
    assert ids(ours, texts) == [theirs.encode_ordinary(text) for text in texts]

    @given(st.lists(st.text(st.sampled_from(" \n\r\t\xa0'sSLl1½aAéǅ日\u0301/!🦊"), max_size=12), min_size=1))
    def any_text(texts: list[str]) -> None:
        assert ids(ours, texts) == [theirs.encode_ordinary(text) for text in texts]

    any_text()


def test_the_merges_are_those_that_the_ranks_were_trained_by(tmp_path: Path) -> None:
    given = tokenizer.adopt(write(tmp_path, ranks()), "llama3")
    assert json.loads(given.data)["model"]["merges"] == trained()["model"]["merges"]
    assert not json.loads(given.data)["model"]["ignore_merges"]


def test_text_comes_back_and_none_of_it_ends_a_document(tmp_path: Path) -> None:
    ours = adopted(tmp_path, ranks(), "cl100k_base")
    text = f"One{EOS} two\n{EOS}"
    (found,) = ids(ours, [text])
    assert ours.decode(found) == text
    assert ours.vocabulary.eos_id == 700 not in found
    assert ours.vocabulary.size == 701


@pytest.mark.parametrize("eos_id", [700, 705, 1000])
def test_the_end_token_may_leave_a_gap(eos_id: int, tmp_path: Path) -> None:
    ours = adopted(tmp_path, ranks(), "cl100k_base", eos_id)
    assert (ours.vocabulary.eos_id, ours.vocabulary.size) == (eos_id, eos_id + 1)
    assert ours.decode([eos_id]) == EOS
    assert ours.encoded_by == "kernels and tiktoken"


def test_the_end_token_may_be_in_a_gap_of_the_ranks(tmp_path: Path) -> None:
    """As p50k_base has it, which leaves the id of GPT-2's out."""
    shifted = {entry: rank + (rank >= 650) for entry, rank in ranks().items()}
    ours = adopted(tmp_path, shifted, "gpt2", 650)
    assert (ours.vocabulary.eos_id, ours.vocabulary.size) == (650, 701)
    theirs = tiktoken.Encoding("gap", pat_str=published.r50k_pat_str, mergeable_ranks=shifted, special_tokens={})
    assert ids(ours, TEXTS[:3]) == [theirs.encode_ordinary(text) for text in TEXTS[:3]]


def test_an_entry_that_no_merges_make_is_found_where_it_is_a_whole_piece(tmp_path: Path) -> None:
    """Llama 3's file has such."""
    entries = {**ranks(), b" qxzj": 700, b"jzxq": 701}
    theirs = tiktoken.Encoding("whole", pat_str=LLAMA3, mergeable_ranks=entries, special_tokens={})
    ours = adopted(tmp_path, entries, "llama3")
    assert ours.encoded_by == "kernels and tiktoken"
    texts = ["a qxzj", " qxzj", "qxzj", "jzxq!", "ajzxq", " qxzjqxzj", "jzxq jzxq qxzj\n"]
    assert ids(ours, texts) == [theirs.encode_ordinary(text) for text in texts]
    assert ids(ours, texts) == [found.tolist() for text in texts for found in [ours.encode_by_reference([text])[0]]]
    assert 700 in ids(ours, texts)[0]
    assert 700 not in ids(ours, texts)[5]


def test_a_pattern_of_ones_own_is_encoded_by_the_library_that_reads_any(tmp_path: Path) -> None:
    pattern = r"\p{L}+|[^\p{L}]"
    ours = adopted(tmp_path, ranks(), pattern)
    assert ours.encoded_by.startswith("tokenizers: ")
    theirs = tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=ranks(), special_tokens={})
    assert ids(ours, TEXTS[:3]) == [theirs.encode_ordinary(text) for text in TEXTS[:3]]


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_base"])
def test_what_tiktoken_has_under_a_name_may_be_given_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, ranks())
    assert tokenizer.adopt(path, own_pattern(name, monkeypatch)) == tokenizer.adopt(path, name)


@pytest.mark.parametrize("pattern", [QWEN, r"\p{N}{1,2}|[\p{L}\p{M}]+|[^\p{N}\p{L}\p{M}]", r"[\s\S]"])
def test_a_pattern_that_is_read_alike_is_accepted_whatever_the_ranks(pattern: str, tmp_path: Path) -> None:
    for entries in (ranks(), {bytes([byte]): byte for byte in range(256)}):
        theirs = tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=entries, special_tokens={})
        assert ids(adopted(tmp_path, entries, pattern), TEXTS[:3]) == [theirs.encode_ordinary(t) for t in TEXTS[:3]]


@pytest.mark.parametrize(
    "pattern",
    [
        # 1820 is 182 and 0 to one library, 18 and 20 or all of it to the other.
        r"\p{N}{1,3}+|\P{N}",
        r"\p{N}{2}+|[\s\S]",
        # A piece made of two of the other's.
        r"\p{L}{1,2}+|\P{L}",
    ],
)
def test_what_ranks_do_not_merge_is_seen_to_be_cut_differently(pattern: str, tmp_path: Path) -> None:
    path = write(tmp_path, {bytes([byte]): byte for byte in range(256)})
    with pytest.raises(ValueError, match="tiktoken and Hugging Face's tokenizers differ on"):
        tokenizer.adopt(path, pattern)


def test_only_unassigned_characters_of_a_text_are_left_out() -> None:
    assert assigned("a\u0378b\U0003fffe\ue000") == "ab\ue000"


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n\r\n", b"\xef\xbb\xbf\n"])
def test_what_editors_put_before_the_first_line_does_not_matter(before: bytes, tmp_path: Path) -> None:
    path = Path(write(tmp_path, ranks()))
    wanted = tokenizer.adopt(str(path), "gpt2")
    path.write_bytes(before + path.read_bytes())
    assert tokenizer.adopt(str(path), "gpt2") == wanted


@pytest.mark.parametrize(
    ("changed", "keys", "said"),
    [
        ({}, {}, r"does not say how text is cut: give tokenizer.pattern, one of gpt2, cl100k_base"),
        ({}, {"pattern": "cl100k"}, r'unknown pattern "cl100k"; did you mean "cl100k_base"'),
        ({}, {"pattern": r"(\w+"}, r"tokenizer.pattern '\(\\\\w\+' is no regular expression"),
        # `{1,3}+` is possessive to one library and a repetition of a repetition to the other.
        ({}, {"pattern": r"\p{N}{1,3}+|\P{N}++"}, r"differ on '.*' from token \d+ on; .* read alike: gpt2"),
        ({}, {"pattern": r"\p{L}+"}, r"differ on '.*' from token"),
        ({}, {"pattern": "gpt2", "eos_id": 300}, r"eos_id 300 is the rank of an entry; give the id that"),
        ({}, {"pattern": "gpt2", "eos": "!"}, r'"!" is an entry as well, of rank \d+; give another tokenizer'),
        ({}, {"pattern": "gpt2", "eos_id": 1 << 31}, r"tokenizer.eos_id 2,147,483,648 is larger than the largest id"),
        ({b"new": (1 << 31) - 1}, {"pattern": "gpt2"}, r"tokenizer.eos_id 2,147,483,648 is larger than the largest id"),
        ({b"new": 1 << 31}, {"pattern": "gpt2"}, r"line 701: the rank 2,147,483,648 is larger than the largest id"),
        ({}, {"pattern": r"(?:a|aa)+(?!Q)Z|[\s\S]"}, r"no regular expression that can be used: .*retry-limit"),
        ({}, {"pattern": r"\p{L}*"}, r"tokenizer.pattern '\\\\p\{L\}\*' matches the empty string"),
        ({b"\xff": None}, {"pattern": "gpt2"}, r"no token for the byte 0xff"),
        ({b"new": 5}, {"pattern": "gpt2"}, "two tokens have the same rank"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(
    changed: dict[bytes, int | None], keys: dict[str, Any], said: str, tmp_path: Path
) -> None:
    entries = {entry: rank for entry, rank in ({**ranks(), **changed}).items() if rank is not None}
    with pytest.raises(ValueError, match=said):
        tokenizer.adopt(write(tmp_path, entries), **keys)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"AAAA", r"line 701: b'AAAA' is no base64 token and rank"),
        (b"AAAAA 900", r"line 701: b'AAAAA' is no base64"),
        (b"AA== -1", "line 701"),
        (b"IQ== 900", r"line 701: the token b'!' is there twice"),
    ],
)
def test_a_damaged_line_is_named(line: bytes, said: str, tmp_path: Path) -> None:
    path = Path(write(tmp_path, ranks()))
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(ValueError, match=rf"ranks\.txt.*{said}"):
        tokenizer.adopt(str(path), "gpt2")
