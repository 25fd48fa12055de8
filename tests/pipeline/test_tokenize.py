"""Runs with tokenizers of every kind: the ids in the shards are those of the library the file comes from."""

import base64
import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tiktoken
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from corpus.strict import RecipeError
from mixtures import byte_level, tokenizer
from mixtures.hard_texts import HARD
from mixtures.json_tokenizer import JsonTokenizer, train
from mixtures.token_shards import TokenShards
from pipeline.cluster import Cluster
from pipeline.graph import steps_of
from pipeline.recipe import load
from pipeline.run import run
from tests.conftest import prose


def go(recipe: str, root: Path, *overrides: str) -> dict[str, Any]:
    with Cluster(0) as cluster:
        return run(load(recipe, overrides), str(root), cluster, lambda _: None).summary


def texts(root: Path) -> set[str]:
    found = (path for path in root.glob("steps/*.documents-*/part-*.parquet"))
    return {text for path in found for text in pq.read_table(path)["text"].to_pylist()}


def documents(root: Path) -> set[tuple[int, ...]]:
    shards = TokenShards.open(str(root / "tokens"))
    found = set()
    for entry in shards.manifest.shards:
        ids, offsets = shards.tokens(entry), shards.offsets(entry)
        found |= {tuple(ids[a : b - 1].tolist()) for a, b in pairwise(offsets)}
    return found


def ranks() -> dict[bytes, int]:
    described = json.loads(train(iter(prose(20) + HARD), 700, "<|endoftext|>").to_str())
    return {token: rank - 1 for token, rank in byte_level.read(described).ranks.items()}


def test_a_tiktoken_file(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks().items())
    (tmp_path / "own.tiktoken").write_bytes(b"".join(lines))
    given = f"tokens.tokenizer={{file: {tmp_path}/own.tiktoken, pattern: cl100k_base, eos_id: 750}}"
    summary = go(small_recipe(), tmp_path / "run", given, "mixture.tokens=60_000")
    assert summary["vocabulary"] == {"vocabulary": 751, "eos_id": 750}
    theirs = tiktoken.Encoding("own", pat_str=byte_level.CL100K, mergeable_ranks=ranks(), special_tokens={})
    assert documents(tmp_path / "run") == {tuple(theirs.encode_ordinary(text)) for text in texts(tmp_path / "run")}


def test_a_sentencepiece_model(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    out = io.BytesIO()
    SentencePieceTrainer.train(sentence_iterator=iter(prose(20)), model_writer=out, vocab_size=500, minloglevel=2)
    (tmp_path / "own.model").write_bytes(out.getvalue())
    summary = go(
        small_recipe(), tmp_path / "run", f"tokens.tokenizer={{file: {tmp_path}/own.model}}", "mixture.tokens=60_000"
    )
    theirs = SentencePieceProcessor(model_proto=out.getvalue())
    assert summary["vocabulary"] == {"vocabulary": 500, "eos_id": theirs.eos_id()}
    assert documents(tmp_path / "run") == {tuple(theirs.encode(text)) for text in texts(tmp_path / "run")}
    assert (tmp_path / "run/tokens/tokenizer.model").read_bytes() == out.getvalue()


def test_what_encoded_a_source_is_counted(
    small_recipe: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = list[int]()
    monkeypatch.setattr(tokenizer, "check", lambda loaded, texts: checked.append(len(texts)))
    go(small_recipe(), tmp_path / "run")
    (step,) = tmp_path.glob("run/steps/reference.tokenize-*/step.json")
    assert json.loads(step.read_text())["counts"]["encoded_by"] == {"kernels and tiktoken": 15}
    # The first texts of every part: three of the crawl, of which one is empty, and the reference.
    assert len(checked) == 3


def test_ids_that_are_not_the_librarys_end_the_run(
    small_recipe: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = JsonTokenizer.encode_batch

    def wrong(self: JsonTokenizer, texts: Any) -> Any:
        ids, offsets = encode(self, texts)
        return ids[::-1], offsets

    monkeypatch.setattr(JsonTokenizer, "encode_batch", wrong)
    with pytest.raises(AssertionError, match="other ids than the tokenizer's own library gives"):
        go(small_recipe(), tmp_path / "run")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("{train: 300, pattern: gpt2}", "tokens.tokenizer: pattern and eos_id are for a tiktoken file; leave them out"),
        ("{file: FILE, pattern: gpt2}", "tokens.tokenizer.file: FILE is no tiktoken file, and says itself what"),
        ("{file: FILE, eos: ''}", "tokens.tokenizer.eos: "),
        ("{file: FILE, eos_id: -1}", "tokens.tokenizer.eos_id: should be greater than or equal to 0"),
    ],
)
def test_keys_that_do_not_fit_are_errors(
    keys: str, said: str, small_recipe: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(train(iter(HARD), 300, "<|endoftext|>").to_str())
    with pytest.raises(RecipeError) as error:
        steps_of(load(small_recipe(), (f"tokens.tokenizer={keys}".replace("FILE", str(file)),)))
    assert said.replace("FILE", str(file)) in str(error.value)
