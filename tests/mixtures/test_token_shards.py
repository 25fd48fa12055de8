"""Token shards read back by strangers: the Megatron layout by `struct` alone, nanoGPT's by `np.memmap`."""

import hashlib
import itertools
import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.token_shards import (
    DamagedShardError,
    Manifest,
    Origin,
    ShardEntry,
    TokenShards,
    Vocabulary,
    read_manifest,
    write_manifest,
    write_shard,
)

SMALL = Vocabulary(size=100, eos_id=7)
LARGE = Vocabulary(size=200_000, eos_id=199_999)


def arrays(documents: list[list[int]]) -> list[np.ndarray]:
    return [np.array(document, np.int64) for document in documents]


def manifest(folder: Path, entries: list[ShardEntry], vocabulary: Vocabulary = SMALL) -> Manifest:
    origin = Origin.of(
        vocabulary,
        eos="<|endoftext|>",
        tokenizer_file="tokenizer.json",
        tokenizer_sha256="ab" * 32,
        recipe_hash="cd" * 8,
        seed=3,
        version="0.1.0",
    )
    return write_manifest(str(folder), entries, origin)


def megatron(prefix: Path) -> tuple[list[list[int]], list[int]]:
    """Sequences and document numbers, from Megatron-LM's published layout and with nothing of ours."""
    idx, data = prefix.with_suffix(".idx").read_bytes(), prefix.with_suffix(".bin").read_bytes()
    assert idx[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack_from("<QBQQ", idx, 9)
    assert version == 1
    letter = {8: "H", 4: "i"}[code]
    lengths = struct.unpack_from(f"<{sequences}i", idx, 34)
    pointers = struct.unpack_from(f"<{sequences}q", idx, 34 + 4 * sequences)
    numbers = struct.unpack_from(f"<{documents}q", idx, 34 + 12 * sequences)
    assert len(idx) == 34 + 12 * sequences + 8 * documents == 42 + 20 * sequences
    return [list(struct.unpack_from(f"<{n}{letter}", data, p)) for n, p in zip(lengths, pointers, strict=True)], list(
        numbers
    )


documents_of_small = st.lists(
    st.lists(st.integers(0, 99).filter(lambda token: token != 7), max_size=20), min_size=1, max_size=12
)


@given(documents_of_small, st.booleans())
def test_every_reader_sees_each_document_and_one_eos(documents: list[list[int]], wide: bool) -> None:
    vocabulary = LARGE if wide else SMALL
    if wide:
        documents = [[token + 150_000 for token in document] for document in documents]
    whole = [[*document, vocabulary.eos_id] for document in documents]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entry = write_shard(name, "books", 4, arrays(documents), 11, vocabulary=vocabulary)
        manifest(folder, [entry], vocabulary)

        assert entry.file == "books-00004.bin"
        assert megatron(folder / "books-00004") == (whole, list(range(len(documents) + 1)))

        flat = np.memmap(folder / entry.file, dtype=np.uint32 if wide else np.uint16, mode="r")
        assert flat.tolist() == list(itertools.chain(*whole))

        shards = TokenShards.open(name)
        tokens, offsets = shards.tokens(entry), shards.offsets(entry)
        assert [tokens[a:b].tolist() for a, b in itertools.pairwise(offsets)] == whole
        assert (entry.tokens, entry.documents, entry.bytes) == (len(flat), len(documents), flat.nbytes)
        assert (entry.min_id, entry.max_id) == (min(flat), max(flat))
        del flat, tokens


def test_shard_larger_than_one_chunk_is_the_same_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = arrays([list(range(10, 10 + n)) for n in range(50)])
    one = write_shard(str(tmp_path / "one"), "c4", 0, documents, 0, vocabulary=SMALL)
    monkeypatch.setattr("mixtures.token_stream.CHUNK_TOKENS", 16)
    many = write_shard(str(tmp_path / "many"), "c4", 0, iter(documents), 0, vocabulary=SMALL)
    assert one == many
    assert (tmp_path / "one/c4-00000.bin").read_bytes() == (tmp_path / "many/c4-00000.bin").read_bytes()


@pytest.mark.parametrize(("size", "dtype", "ids"), [(65_500, "uint16", [0, 65_499]), (65_501, "uint32", [0, 65_500])])
def test_sixteen_bits_up_to_megatrons_limit(tmp_path: Path, size: int, dtype: str, ids: list[int]) -> None:
    vocabulary = Vocabulary(size=size, eos_id=1)
    entry = write_shard(str(tmp_path), "c4", 0, arrays([ids]), 0, vocabulary=vocabulary)
    assert vocabulary.dtype == dtype
    assert np.fromfile(tmp_path / entry.file, dtype).tolist() == [*ids, 1]


def test_ids_up_to_the_largest_that_fits_megatrons_int32(tmp_path: Path) -> None:
    vocabulary = Vocabulary(size=1 << 31, eos_id=0)
    write_shard(str(tmp_path), "c4", 0, arrays([[(1 << 31) - 1]]), 0, vocabulary=vocabulary)
    assert megatron(tmp_path / "c4-00000")[0] == [[(1 << 31) - 1, 0]]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([1, 100], "document 1 has id 100; the vocabulary ends at 99"),
        ([-1, 5], "document 1 has id -1"),
        ([1, 7, 2], "document 1 has the EOS id 7 inside"),
    ],
)
def test_ids_that_would_spoil_training_are_refused_and_leave_no_file(
    tmp_path: Path, document: list[int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        write_shard(str(tmp_path), "c4", 0, arrays([[1], document]), 0, vocabulary=SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_needs_documents_and_a_source_that_can_name_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"c4-00000\.bin: no documents"):
        write_shard(str(tmp_path), "c4", 0, [], 0, vocabulary=SMALL)
    with pytest.raises(ValueError, match="source 'a/b'"):
        write_shard(str(tmp_path), "a/b", 0, arrays([[1]]), 0, vocabulary=SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "eos"), [(10, 10), (10, -1), ((1 << 31) + 1, 0)])
def test_vocabulary_whose_ids_do_not_fit(size: int, eos: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= EOS < size"):
        Vocabulary(size=size, eos_id=eos)


def test_manifest_does_not_depend_on_the_order_in_which_shards_were_finished(tmp_path: Path) -> None:
    entries = [write_shard(str(tmp_path), "c4", n, arrays([[n]]), 1, vocabulary=SMALL) for n in range(3)]
    held = write_shard(str(tmp_path), "c4", 0, arrays([[9]]), 1, vocabulary=SMALL, split="validation")
    written = manifest(tmp_path, [*entries, held])
    first = (tmp_path / "manifest.json").read_bytes()
    manifest(tmp_path, [held, *reversed(entries)])
    assert (tmp_path / "manifest.json").read_bytes() == first
    assert read_manifest(str(tmp_path)) == written

    shown = json.loads(first)
    assert shown["vocabulary_size"] == 100
    assert shown["dtype"] == "uint16"
    assert shown["shards"][-1]["file"] == "c4-validation-00000.bin"
    assert shown["shards"][0]["sha256"] == hashlib.sha256((tmp_path / "c4-00000.bin").read_bytes()).hexdigest()
    assert [entry.split for entry in TokenShards.open(str(tmp_path)).entries("validation")] == ["validation"]


def test_two_sources_cannot_share_a_file(tmp_path: Path) -> None:
    held = write_shard(str(tmp_path), "c4", 0, arrays([[1]]), 1, vocabulary=SMALL, split="validation")
    other = write_shard(str(tmp_path), "c4-validation", 0, arrays([[2]]), 1, vocabulary=SMALL)
    with pytest.raises(ValueError, match=r"c4-validation-00000\.bin was written twice"):
        manifest(tmp_path, [held, other])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    manifest(tmp_path, [write_shard(str(tmp_path), "c4", 0, arrays([[1, 2], [], [3]]), 9, vocabulary=SMALL)])
    return tmp_path


def test_opening_refuses_a_short_shard_and_an_unfinished_folder(folder: Path) -> None:
    (folder / "c4-00000.bin").write_bytes(b"\0\0")
    with pytest.raises(DamagedShardError, match="has 2 bytes; the manifest wants 12"):
        TokenShards.open(str(folder))
    (folder / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError):
        TokenShards.open(str(folder))


def test_a_manifest_with_an_unknown_key_is_refused_by_name(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shuffled": True}))
    with pytest.raises(ValueError, match=r"(?s)manifest\.json is not a manifest.*shuffled"):
        read_manifest(str(folder))
