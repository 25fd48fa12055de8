"""llm.c's files by the published layout alone: what a reader of 20 lines sees in them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures import llmc
from mixtures.token_shards import Origin, Vocabulary

SMALL = Vocabulary(size=100, eos_id=7)
LARGE = Vocabulary(size=200_000, eos_id=199_999)

documents_of_small = st.lists(
    st.lists(st.integers(0, 99).filter(lambda token: token != 7), max_size=20), min_size=1, max_size=12
)


def read(path: Path) -> np.ndarray:
    """As llm.c's dataloader does: the magic number says how wide the ids are, the third number how many there are."""
    with path.open("rb") as file:
        header = np.frombuffer(file.read(256 * 4), np.int32)
        dtype, version = {20240520: (np.uint16, 1), 20240801: (np.uint32, 7)}[int(header[0])]
        assert header[1] == version
        assert not header[3:].any()
        tokens = np.frombuffer(file.read(), dtype)
    assert len(tokens) == header[2]
    return tokens


def write(folder: Path, documents: list[list[int]], vocabulary: Vocabulary = SMALL, number: int = 0) -> llmc.LlmcEntry:
    sources = {"web": sum(len(document) + 1 for document in documents)}
    arrays = [np.array(document, np.int64) for document in documents]
    return llmc.write_shard(str(folder), "train", number, arrays, sources, 11, vocabulary)


@given(documents_of_small, st.booleans())
def test_the_published_reader_sees_each_document_after_one_eot(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], wide: bool
) -> None:
    folder = tmp_path_factory.mktemp("llmc")
    vocabulary = LARGE if wide else SMALL
    if wide:
        documents = [[token + 150_000 for token in document] for document in documents]
    entry = write(folder, documents, vocabulary, 4)
    tokens = read(folder / "train-00004.bin")
    assert tokens.tolist() == [token for document in documents for token in (vocabulary.eos_id, *document)]
    assert (entry.tokens, entry.documents) == (len(tokens), len(documents))
    assert (entry.min_id, entry.max_id) == (min(tokens), max(tokens))
    assert entry.bytes == (folder / entry.file).stat().st_size


def test_no_file_reaches_2_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert llmc.HEADER_BYTES + 4 * llmc.MAX_TOKENS <= llmc.MAX_BYTES < 1 << 31
    monkeypatch.setattr("mixtures.llmc.MAX_BYTES", 1024 + 2 * 3)
    write(tmp_path, [[1, 2]])
    with pytest.raises(ValueError, match=r"train-00001\.bin would have 1,032 bytes.*lower tokens\.shard_tokens"):
        write(tmp_path, [[1, 2, 3]], number=1)
    assert [path.name for path in tmp_path.iterdir()] == ["train-00000.bin"]


def test_the_manifest_says_which_format_it_is_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    entries = [write(tmp_path, [[number]], number=number) for number in range(3)]
    origin = Origin.of(
        SMALL,
        eos="<|eot|>",
        tokenizer_file="tokenizer.json",
        tokenizer_sha256="ab",
        recipe_hash="cd",
        seed=3,
        version="0.1.0",
    )
    llmc.write_manifest(str(tmp_path), entries, origin)
    first = (tmp_path / "manifest.json").read_bytes()
    llmc.write_manifest(str(tmp_path), entries[::-1], origin)
    assert (tmp_path / "manifest.json").read_bytes() == first
    shown = json.loads(first)
    assert (shown["format"], shown["dtype"], shown["shards"][1]["sources"]) == ("llm.c", "uint16", {"web": 2})
