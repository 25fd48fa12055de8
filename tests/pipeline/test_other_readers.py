"""Token shards of a run in the hands of those they are for: Megatron-LM's own reader, nanoGPT's and llm.c's ways."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.run import Result, run

# In a process of its own: importing Megatron warns of things that are not ours.
MEGATRON = """
import json, sys
from megatron.core.datasets.indexed_dataset import IndexedDataset
for line in sys.stdin:
    dataset = IndexedDataset(json.loads(line))
    documents = dataset.document_indices.tolist()
    assert documents == list(range(len(dataset) + 1))
    print(json.dumps([dataset[n].tolist() for n in range(len(dataset))]), flush=True)
"""

Documents = list[list[int]]
Reader = Callable[[Path], dict[str, Documents]]


@pytest.fixture(scope="module")
def megatron() -> Iterator[Reader]:
    """What Megatron-LM reads in a folder, by file."""
    if importlib.util.find_spec("megatron") is None:
        pytest.skip("needs megatron-core")
    command = [sys.executable, "-W", "ignore", "-c", MEGATRON]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        asked, answers = process.stdin, process.stdout

        def read(folder: Path) -> dict[str, Documents]:
            found: dict[str, Documents] = {}
            for path in sorted(folder.glob("*.idx")):
                print(json.dumps(str(path.with_suffix(""))), file=asked, flush=True)
                answer = answers.readline()
                assert answer, "it ended, and said why on stderr"
                found[f"{path.stem}.bin"] = json.loads(answer)
            return found

        yield read
        asked.close()
        assert process.wait() == 0


def nanogpt(folder: Path, shard: dict[str, Any], dtype: str, eos: int) -> Documents:
    """As nanoGPT maps its train.bin."""
    data = np.memmap(folder / shard["file"], dtype=dtype, mode="r")
    return [part.tolist() for part in np.split(data, np.flatnonzero(data == eos) + 1)[:-1]]


def llm_c(path: Path) -> tuple[np.ndarray, int]:
    """As llm.c's dataloader opens a file: ids, and their width in bytes by the magic number."""
    header = np.fromfile(path, np.int32, 256)
    dtype: type[np.unsignedinteger[Any]] = {20240520: np.uint16, 20240801: np.uint32}[int(header[0])]  # type: ignore[assignment]
    assert header[1] == {np.uint16: 1, np.uint32: 7}[dtype]
    with path.open("rb") as file:
        file.seek(256 * 4)
        tokens = np.frombuffer(file.read(), dtype)
    assert len(tokens) == header[2]
    return tokens, tokens.itemsize


def check(root: Path, megatron: Reader) -> None:
    """All three readers see the kept texts, encoded by the tokenizer's own library, each with one EOS."""
    folder = root / "tokens"
    manifest = json.loads((folder / "manifest.json").read_text())
    eos, dtype = manifest["eos_id"], manifest["dtype"]
    tokenizer = Tokenizer.from_file(str(folder / manifest["tokenizer_file"]))
    tokenizer.encode_special_tokens = True
    read = megatron(folder)
    assert sorted(read) == [shard["file"] for shard in manifest["shards"]]
    used: Counter[tuple[int, ...]] = Counter()
    for source in {shard["source"] for shard in manifest["shards"]}:
        parts = sorted((root / "steps").glob(f"{source}.documents-*/part-*.parquet"))
        texts = [text for part in parts for text in pq.read_table(part)["text"].to_pylist()]
        wanted = {(*encoding.ids, eos) for encoding in tokenizer.encode_batch(texts)}
        own = [shard for shard in manifest["shards"] if shard["source"] == source]
        documents = [tuple(document) for shard in own for document in read[shard["file"]]]
        assert set(documents) == wanted, "every kept text, and nothing else"
        assert all(document.count(eos) == 1 for document in wanted)
        for shard in own:
            assert nanogpt(folder, shard, dtype, eos) == read[shard["file"]]
        used.update(documents)
    assert sum(used.values()) == sum(shard["documents"] for shard in manifest["shards"])
    again: Counter[tuple[int, ...]] = Counter()
    for path in sorted((root / "llmc").glob("*.bin")):
        tokens, width = llm_c(path)
        assert width == np.dtype(dtype).itemsize
        assert tokens[0] == eos
        again.update((*part[1:].tolist(), eos) for part in np.split(tokens, np.flatnonzero(tokens == eos))[1:])
    assert again == used


def test_made_up_documents(mix: Callable[..., Result], megatron: Reader, tmp_path: Path) -> None:
    mix("{epochs: {web: 2.0, books: 1.5, code: 1.0}, validation: 0.1}", "tokens.also=llm.c")
    check(tmp_path / "run", megatron)


def test_ids_of_more_than_16_bits(mix: Callable[..., Result], megatron: Reader, tmp_path: Path) -> None:
    """A tokenizer of 70,000 entries, most of which no text uses."""
    mix("{epochs: {web: 1.0}}")
    data = json.loads((tmp_path / "run/tokens/tokenizer.json").read_text())
    # No merge leads to the others.
    data["model"]["vocab"] |= {f"unused{n}": n for n in range(len(data["model"]["vocab"]), 70_000)}
    (tmp_path / "large.json").write_text(json.dumps(data))
    given = f"tokens.tokenizer={{file: {tmp_path}/large.json}}"
    mix("{epochs: {web: 1.0}}", given, "tokens.also=llm.c")
    manifest = json.loads((tmp_path / "run/tokens/manifest.json").read_text())
    assert (manifest["dtype"], manifest["vocabulary_size"]) == ("uint32", 70_000)
    check(tmp_path / "run", megatron)


def test_real_articles(shared_data: Path, megatron: Reader, tmp_path: Path) -> None:
    recipe = f"""
name: articles
sources: {{articles: {{kind: jsonl, paths: {shared_data}/reference/wikitext2_valid_test.jsonl.gz}}}}
mixture: {{epochs: {{articles: 1.0}}, validation: 0.1}}
tokens: {{tokenizer: {{train: 2000}}, shard_tokens: 200_000, also: [llm.c]}}
"""
    (tmp_path / "recipe.yaml").write_text(recipe)
    with Cluster(0) as cluster:
        run(load(str(tmp_path / "recipe.yaml")), str(tmp_path / "run"), cluster, lambda _: None, lambda _: None)
    check(tmp_path / "run", megatron)
