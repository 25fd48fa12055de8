"""Mixtures as they come out: shards by their published layout, texts encoded by the tokenizer's own library."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from pipeline.cluster import Cluster
from pipeline.console import warnings
from pipeline.recipe import load
from pipeline.run import Result, run

BOTH = "{tokens: 150_000, weights: {web: 3, code: 1}, epochs: {books: 2.45}, validation: 0.05}"

Mix = Callable[..., Result]
Ids = tuple[int, ...]


def encoded(root: Path, source: str) -> list[Ids]:
    """Every kept text of a source as ids with its EOS, by Hugging Face's library."""
    tokenizer = Tokenizer.from_file(str(root / "tokens/tokenizer.json"))
    tokenizer.encode_special_tokens = True
    eos = json.loads((root / "tokens/manifest.json").read_text())["eos_id"]
    paths = sorted((root / "steps").glob(f"{source}.documents-*/part-*.parquet"))
    texts = [text for path in paths for text in pq.read_table(path)["text"].to_pylist()]
    return [(*tokenizer.encode(text).ids, eos) for text in texts]


def documents(ids: np.ndarray, eos: int, eos_first: bool = False) -> list[Ids]:
    """The documents of a flat array, each with its EOS at the end."""
    found = "".join(map(chr, ids)).split(chr(eos))
    assert found[0 if eos_first else -1] == "", "a document without its EOS"
    return [(*map(ord, text), eos) for text in (found[1:] if eos_first else found[:-1])]


def shards(root: Path) -> dict[tuple[str, str], list[Ids]]:
    """The documents of RUN/tokens by source and split, in order."""
    manifest = json.loads((root / "tokens/manifest.json").read_text())
    found: dict[tuple[str, str], list[Ids]] = {}
    for shard in manifest["shards"]:
        ids = np.fromfile(root / "tokens" / shard["file"], manifest["dtype"])
        found.setdefault((shard["source"], shard["split"]), []).extend(documents(ids, manifest["eos_id"]))
    return found


def tokens(found: list[Ids]) -> int:
    return sum(map(len, found))


@pytest.mark.parametrize(
    "mixture",
    [
        "{tokens: 150_000, weights: {web: 0.7, books: 0.2, code: 0.1}}",
        "{epochs: {web: 0.5, books: 2.25, code: 3.0}}",
        "{tokens: 150_000, temperature: 0.5}",
        "{tokens: 150_000, temperature: 0, weights: {web: 3}, epochs: {code: 1.75}}",
        BOTH,
    ],
)
def test_shards_hold_the_mixture_that_was_asked_for(mixture: str, mix: Mix, tmp_path: Path) -> None:
    summary = mix(mixture).summary
    found, asked = shards(tmp_path / "run"), summary["recipe"]["mixture"]
    train = {source: docs for (source, split), docs in found.items() if split == "train"}
    total = sum(map(tokens, train.values()))
    unique = {}
    for source, docs in train.items():
        every = encoded(tmp_path / "run", source)
        held_out = found.get((source, "validation"), [])
        texts = Counter(every) - Counter(held_out)
        unique[source] = tokens(list(texts.elements()))
        epochs = summary["mixture"][source]["epochs"]
        uses = Counter(docs)
        assert uses.keys() <= texts.keys(), "held-out documents are in no training shard"
        assert all(int(epochs) * n <= uses[ids] <= (int(epochs) + 1) * n for ids, n in texts.items())
        assert summary["mixture"][source]["tokens"] == tokens(docs)
        assert summary["mixture"][source]["unique_tokens"] == unique[source]
        assert epochs == tokens(docs) / unique[source]
    by_epochs = {source: epochs * unique[source] for source, epochs in asked["epochs"].items()}
    weights = {
        source: (asked["weights"].get(source, 1) * unique[source] ** asked["temperature"])
        if asked["temperature"] is not None
        else asked["weights"][source]
        for source in train
        if source not in by_epochs
    }
    whole = asked["tokens"] or sum(by_epochs.values())
    rest = whole - sum(by_epochs.values())
    for source, docs in train.items():
        wanted = by_epochs[source] if source in by_epochs else rest * weights[source] / sum(weights.values())
        assert abs(tokens(docs) / total - wanted / whole) < 0.0005, "within .05 point"
        assert summary["mixture"][source]["share"] == pytest.approx(wanted / whole, abs=1e-5)


def test_a_short_source_ends_the_mixture_and_the_total_it_names_works(mix: Mix, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the mixture asks for more than there is") as error:
        mix(BOTH, "mixture.tokens=2_000_000", "mixture.max_epochs={web: 2.5}")
    said = str(error.value)
    assert re.search(r"web has [\d,]+ unique tokens, which 2.5 epochs make", said)
    largest = int(re.search(r"largest mixture\.tokens that works .* is ([\d,]+):", said)[1].replace(",", ""))  # type: ignore[index]
    works = mix(BOTH, f"mixture.tokens={largest}", "mixture.max_epochs={web: 2.5}").summary["mixture"]
    assert not any(source["missing_tokens"] for source in works.values())
    reported = mix(BOTH, "mixture.tokens=2_000_000", "mixture.max_epochs={web: 2.5}", "mixture.missing=report")
    assert reported.summary["mixture"]["web"]["missing_tokens"] > 0
    assert reported.summary["mixture"]["web"]["epochs"] == pytest.approx(2.5, abs=1e-3)


def names(result: Result) -> list[str]:
    return [step.name for step in result.ran]


def test_what_shares_do_not_depend_on_redoes_the_draw_alone(mix: Mix) -> None:
    by_weight = "{tokens: 50_000, weights: {web: 3, code: 1}}"
    mix(by_weight)
    assert names(mix(by_weight, "mixture.tokens=60_000")) == ["mixture", "tokens"]
    assert names(mix(by_weight, "mixture.max_epochs=3")) == ["mixture", "tokens"]
    assert "tokenizer" in names(mix(by_weight, "mixture.weights.web=1")), "its text is the mixture's"


def test_a_tokenizer_that_is_given_is_the_same_for_any_mixture(mix: Mix, tmp_path: Path) -> None:
    mix(BOTH)
    given = tmp_path / "tokenizer.json"
    given.write_bytes((tmp_path / "run/tokens/tokenizer.json").read_bytes())
    file = f"tokens.tokenizer={{file: {given}}}"
    mix(BOTH, file)
    assert names(mix(BOTH, file, "mixture.weights.web=1")) == ["mixture", "tokens"]


def test_the_shards_folder_has_its_tokenizer_and_misses_it(mix: Mix, tmp_path: Path) -> None:
    mix(BOTH)
    folder = tmp_path / "run/tokens"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["tokenizer_file"], manifest["eos"]) == ("tokenizer.json", "<|endoftext|>")
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id("<|endoftext|>") == manifest["eos_id"]
    (folder / "tokenizer.json").unlink()
    assert names(mix(BOTH)) == ["tokens"]
    assert (folder / "tokenizer.json").exists()


def llmc(root: Path, split: str) -> list[list[Ids]]:
    """The documents of each llm.c file, in order."""
    eos = json.loads((root / "llmc/manifest.json").read_text())["eos_id"]
    found = []
    for path in sorted((root / "llmc").glob(f"{split}-*.bin")):
        header = np.fromfile(path, "<i4", 256)
        ids = np.fromfile(path, "<u2", offset=1024)
        assert header[:3].tolist() == [20240520, 1, len(ids)]
        found.append(documents(ids, eos, eos_first=True))
    return found


def test_other_formats_are_written_without_touching_the_first_and_hold_the_same_documents(
    mix: Mix, tmp_path: Path
) -> None:
    root = tmp_path / "run"
    mix(BOTH)
    manifest = (root / "tokens/manifest.json").read_bytes()
    assert names(mix(BOTH, "tokens.also=[llm.c, text]")) == ["llmc", "text"]
    assert (root / "tokens/manifest.json").read_bytes() == manifest, "not even the recipe's hash is another"
    found = shards(root)
    tokenizer = Tokenizer.from_file(str(root / "tokens/tokenizer.json"))
    tokenizer.encode_special_tokens = True
    eos = json.loads(manifest)["eos_id"]
    for split in ("train", "validation"):
        files = llmc(root, split)
        every = Counter(ids for (_, own), docs in found.items() if own == split for ids in docs)
        assert Counter(ids for docs in files for ids in docs) == every
        texts = [pq.read_table(path) for path in sorted((root / "text").glob(f"{split}-*.parquet"))]
        assert [[(*tokenizer.encode(text).ids, eos) for text in table["text"].to_pylist()] for table in texts] == files
        assert {tuple(table.column_names) for table in texts} == {("text", "source", "id", "url")}
        for row in texts[0].slice(0, 20).to_pylist():
            assert row["url"].startswith(f"https://{row['source']}.example/")


def test_interleaved_shards_have_the_sources_in_their_shares_and_come_round_evenly(mix: Mix, tmp_path: Path) -> None:
    summary = mix(BOTH, "tokens.also=[llm.c, text]").summary
    root = tmp_path / "run"
    manifest = json.loads((root / "llmc/manifest.json").read_text())
    train = [shard for shard in manifest["shards"] if shard["split"] == "train"]
    assert len(train) == 8
    total = sum(source["tokens"] for source in summary["mixture"].values())
    longest = max(len(ids) for docs in shards(root).values() for ids in docs)
    for shard in train:
        assert abs(shard["tokens"] - total / len(train)) <= 3 * longest
        for source, count in shard["sources"].items():
            assert abs(count - summary["mixture"][source]["tokens"] / len(train)) <= longest
    tables = [pq.read_table(path) for path in sorted((root / "text").glob("train-*.parquet"))]
    order: dict[str, list[int]] = {}
    for table in tables:
        for source, number in zip(table["source"].to_pylist(), table["id"].to_pylist(), strict=True):
            order.setdefault(source, []).append(number)
    for source, ids in order.items():
        unique = len(set(ids))
        epochs = int(summary["mixture"][source]["epochs"])
        for epoch in range(epochs):
            assert len(set(ids[epoch * unique : (epoch + 1) * unique])) == unique, "each once before one comes again"


def test_the_links_lead_to_the_newest(mix: Mix, tmp_path: Path) -> None:
    summary: dict[str, Any] = mix(BOTH, "tokens.also=[llm.c, text]").summary
    for name in ("tokens", "llmc", "text"):
        assert (tmp_path / "run" / name).readlink() == Path(summary["steps"][name]["folder"])


def test_a_source_may_be_called_as_a_step_is(three_sources: Path, mix: Mix, tmp_path: Path) -> None:
    also = f"sources.tokenizer={{kind: jsonl, paths: {three_sources}/code.jsonl}}"
    summary = mix("{tokens: 30_000, weights: {web: 1}}", also, "mixture.weights.tokenizer=1").summary
    assert summary["mixture"]["tokenizer"]["tokens"] == pytest.approx(15_000, abs=20)


def test_what_is_not_of_this_run_is_not_found_in_its_folder(mix: Mix, tmp_path: Path) -> None:
    root = tmp_path / "run"
    mix(BOTH, "tokens.also=[llm.c, text]")
    assert (root / "llmc/manifest.json").exists()
    mix(BOTH, "mixture.tokens=120_000")
    assert not (root / "llmc").is_symlink()
    assert not (root / "text").is_symlink()
    assert (root / "tokens/manifest.json").exists()


def test_documents_that_are_too_long_for_their_part_are_warned_of(mix: Mix) -> None:
    summary = mix("{tokens: 1_000, weights: {web: 1, books: 1}}").summary
    off = {source: abs(found["tokens"] - found["wanted_tokens"]) > 0.5 for source, found in summary["mixture"].items()}
    assert any(off.values())
    for source, found in summary["mixture"].items():
        said = [words for words in warnings(summary) if words.startswith(f"{source}: ")]
        assert any("too long for so small a part" in words for words in said) == (abs(found["tokens"] - 500) > 0.5), (
            said
        )
    assert warnings(mix(BOTH).summary) == []


def test_a_source_that_an_estimate_leaves_nothing_for_is_in_the_tokenizers_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"books": ["river", "stone", "light"], "web": ["река", "камень", "свет"]}
    for source, own in words.items():
        rows = (json.dumps({"text": " ".join(own[(n + k) % 3] for k in range(40))}) for n in range(100))
        (tmp_path / f"{source}.jsonl").write_text("\n".join(rows))
    sources = "".join(f"  {name}: {{kind: jsonl, paths: {tmp_path}/{name}.jsonl}}\n" for name in words)
    mixture = "mixture: {tokens: 9_000, weights: {web: 1}, epochs: {books: 1.0}, missing: report}\n"
    recipe = f"name: two\nsources:\n{sources}{mixture}tokens: {{tokenizer: {{train: 320}}}}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    # So that `books` seems to take all there is to share.
    monkeypatch.setattr("pipeline.tokenize.BYTES_PER_TOKEN", 1)
    with Cluster(0) as cluster:
        found = run(load(str(tmp_path / "recipe.yaml")), str(tmp_path / "run"), cluster, lambda _: None).summary
    web = found["sources"]["web"]
    assert web["text_bytes"] / web["unique_tokens"] > 4, "a word is few tokens, and no byte for byte"
