import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtures import llmc, token_shards
from mixtures.plan import shard_numbers
from mixtures.token_shards import DamagedShardError, Origin, Split, Vocabulary
from mixtures.verify import size, verify

VOCABULARY = Vocabulary(size=100, eos_id=7)
TOKENIZER = b'{"model": "any"}'
DOCUMENTS = [np.array(ids, np.int64) for ids in ([1, 2], [], [3, 99])]


def origin() -> Origin:
    return Origin.of(
        VOCABULARY,
        eos="<|endoftext|>",
        tokenizer_file="tokenizer.json",
        tokenizer_sha256=hashlib.sha256(TOKENIZER).hexdigest(),
        recipe_hash="cd",
        seed=3,
        version="0.1.0",
    )


@pytest.fixture
def megatron(tmp_path: Path) -> Path:
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    entries = [
        token_shards.write_shard(str(tmp_path), "c4", number, DOCUMENTS, 9, vocabulary=VOCABULARY) for number in (0, 1)
    ]
    token_shards.write_manifest(str(tmp_path), entries, origin())
    return tmp_path


@pytest.fixture
def eot_first(tmp_path: Path) -> Path:
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    entries = [llmc.write_shard(str(tmp_path), "train", n, DOCUMENTS, {"c4": 7}, 9, VOCABULARY) for n in (0, 1)]
    llmc.write_manifest(str(tmp_path), entries, origin())
    return tmp_path


def damages(folder: Path) -> str:
    with pytest.raises(DamagedShardError) as error:
        verify(str(folder))
    return str(error.value)


def forge(folder: Path, file: str, data: bytes, **said: Any) -> None:
    """Write a file that was wrong from the start: its checksum and size are in the manifest as they are."""
    (folder / file).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["shards"]:
        if entry["file"] == file:
            entry |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), **said}
        elif file.endswith(".idx") and entry["file"] == file.replace(".idx", ".bin"):
            entry["idx_sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("folder", ["megatron", "eot_first"])
def test_what_was_written_is_whole_and_every_byte_is_read(
    folder: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = request.getfixturevalue(folder)
    monkeypatch.setattr("mixtures.token_stream.CHUNK_TOKENS", 3)
    heard: list[int] = []
    manifest = verify(str(path), heard.append)
    assert sum(heard) == size(manifest) == sum(path.stat().st_size for path in path.glob("*.bin"))


@pytest.mark.parametrize("suffix", ["bin", "idx"])
def test_one_changed_byte_is_found_and_named(megatron: Path, suffix: str) -> None:
    path = megatron / f"c4-00001.{suffix}"
    data = bytearray(path.read_bytes())
    wanted = hashlib.sha256(data).hexdigest()
    data[2] ^= 1
    path.write_bytes(data)
    said = damages(megatron)
    assert f"{path} has sha256 {hashlib.sha256(data).hexdigest()}; the manifest wants {wanted}" in said
    assert "c4-00000" not in said


def test_short_and_missing_files_are_all_named_at_once(megatron: Path) -> None:
    (megatron / "c4-00000.bin").write_bytes((megatron / "c4-00000.bin").read_bytes()[:-2])
    (megatron / "c4-00001.bin").unlink()
    (megatron / "c4-00001.idx").unlink()
    (megatron / "tokenizer.json").unlink()
    said = damages(megatron)
    assert "c4-00000.bin has 12 bytes; the manifest wants 14" in said
    assert "c4-00000.bin has 2 ids of a document without its end-of-document id 7" in said
    for file in ("c4-00001.bin", "c4-00001.idx", "tokenizer.json"):
        assert f"{megatron / file} is missing" in said


def test_another_tokenizer_is_noticed(megatron: Path) -> None:
    (megatron / "tokenizer.json").write_bytes(b"{}")
    assert "tokenizer.json has sha256" in damages(megatron)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([1, 2, 7, 7, 3, 100, 7], "has the id 100; the vocabulary ends at 99"),
        ([1, 7, 7, 7, 3, 99, 7], "has 4 documents; the manifest wants 3"),
        ([1, 2, 7, 7, 3, 99, 4], "has 3 ids of a document without its end-of-document id 7"),
        ([1, 2, 7, 7, 3, 50, 7], "has 50 as largest id; the manifest wants 99"),
        ([2, 2, 7, 7, 3, 99, 7], "has 2 as least id; the manifest wants 1"),
        ([1, 7, 2, 7, 3, 99, 7], "c4-00001.idx is not the index of the documents in c4-00001.bin"),
        ([1, 2, 7, 7, 7], "has 5 tokens; the manifest wants 7"),
    ],
)
def test_what_was_wrong_when_it_was_written_is_found_in_spite_of_its_checksum(
    megatron: Path, ids: list[int], said: str
) -> None:
    forge(megatron, "c4-00001.bin", np.array(ids, "<u2").tobytes(), min_id=1, max_id=99)
    found = damages(megatron)
    assert said in found
    assert "sha256" not in found


@pytest.mark.parametrize("place", [0, 9, 17, 18, 26, 34, 34 + 12, 34 + 12 + 24])
def test_every_field_of_an_index_counts(megatron: Path, place: int) -> None:
    data = bytearray((megatron / "c4-00001.idx").read_bytes())
    data[place] ^= 1
    forge(megatron, "c4-00001.idx", bytes(data))
    assert damages(megatron).count("\n") == 1
    assert "c4-00001.idx is not the index" in damages(megatron)


def test_llmcs_header_and_first_eot_count(eot_first: Path) -> None:
    data = bytearray((eot_first / "train-00000.bin").read_bytes())
    struct.pack_into("<i", data, 8, 6)
    forge(eot_first, "train-00000.bin", bytes(data))
    forge(eot_first, "train-00001.bin", llmc.header(7, "uint16") + np.array([1, 7, 2, 7, 7, 3, 99], "<u2").tobytes())
    said = damages(eot_first)
    assert "train-00000.bin does not begin with llm.c's header for 7 tokens of uint16" in said
    assert "train-00001.bin has 1 ids of a document without its end-of-document id 7" in said


def rewritten(folder: Path, **said: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | said))


def listed(folder: Path) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["shards"]
    return shards


def test_the_parts_of_a_source_are_numbered_on_their_own(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    kinds: list[tuple[str, int, Split]] = [("c4", 0, "train"), ("c4", 0, "validation"), ("code", 0, "train")]
    entries = [
        token_shards.write_shard(str(tmp_path), source, number, DOCUMENTS, 9, vocabulary=VOCABULARY, split=split)
        for source, number, split in kinds
    ]
    token_shards.write_manifest(str(tmp_path), entries, origin())
    assert len(verify(str(tmp_path)).shards) == 3


def test_numbers_may_have_gaps_since_a_document_can_be_longer_than_a_shard(tmp_path: Path) -> None:
    numbers = sorted(set(shard_numbers(np.array([1000, 5, 5]), 300).tolist()))
    assert numbers == [0, 3]
    entries = [
        token_shards.write_shard(str(tmp_path), "c4", number, DOCUMENTS, 9, vocabulary=VOCABULARY) for number in numbers
    ]
    token_shards.write_manifest(str(tmp_path), entries, origin())
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    assert len(verify(str(tmp_path)).shards) == 2


@pytest.mark.parametrize("folder", ["megatron", "eot_first"])
def test_a_shard_that_the_manifest_leaves_out_is_found(folder: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(folder)
    first, second = listed(path)
    rewritten(path, shards=[first])
    assert f"{path / second['file']} is not in the manifest" in damages(path)
    rewritten(path, shards=[second])
    assert f"{path / first['file']} is not in the manifest" in damages(path)
    rewritten(path, shards=[])
    assert "manifest.json has no shards" in damages(path)
    rewritten(path, shards=[first, first, second])
    assert f"manifest.json has {first['file']} 2 times" in damages(path)


@pytest.mark.parametrize(
    ("folder", "said", "stem"),
    [
        ("megatron", {"source": "code"}, "code"),
        ("megatron", {"split": "validation"}, "c4-validation"),
        ("eot_first", {"split": "validation"}, "validation"),
    ],
)
def test_a_shard_is_of_the_source_and_the_split_that_its_name_says(
    folder: str, said: dict[str, str], stem: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(folder)
    first, second = listed(path)
    rewritten(path, shards=[first, second | said])
    assert f"has {second['file']}, where {stem}-NNNNN.bin is its name" in damages(path)


def test_a_stray_index_is_found_and_other_files_may_be_there(megatron: Path) -> None:
    (megatron / "README.md").write_text("ours")
    verify(str(megatron))
    (megatron / "c4-00002.idx").write_bytes(b"")
    assert f"{megatron / 'c4-00002.idx'} is not in the manifest" in damages(megatron)


def test_the_tokens_of_the_sources_of_an_llmc_file_are_all_of_them(eot_first: Path) -> None:
    first, second = listed(eot_first)
    rewritten(eot_first, shards=[first, second | {"sources": {"c4": 3, "code": 3}}])
    said = damages(eot_first)
    assert "train-00001.bin has 7 tokens; its sources in the manifest have 6" in said
    assert "train-00000" not in said


def test_the_width_of_ids_is_that_of_the_vocabulary(megatron: Path) -> None:
    rewritten(megatron, vocabulary_size=70_000)
    assert "manifest.json has the dtype uint16; 70,000 ids are kept as uint32" in damages(megatron)
    rewritten(megatron, vocabulary_size=5)
    with pytest.raises(ValueError, match=r"manifest\.json is not a manifest of token shards: (?s:.*)EOS id 7"):
        verify(str(megatron))


def test_a_folder_without_a_manifest_and_one_with_another_are_refused(megatron: Path) -> None:
    path = megatron / "manifest.json"
    for text in ("{}", "[]", "no JSON", json.dumps(json.loads(path.read_text()) | {"shuffled": True})):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"manifest\.json is not a manifest of token shards"):
            verify(str(megatron))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        verify(str(megatron))
