"""Runs over three made-up sources of known sizes, from texts to token shards in seconds."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.run import Result, run

WORDS = ["the", "of", "and", "river", "stone", "42", "wrote", "<|endoftext|>", "é", "naïve", "over\n", "light.", "snow"]
# Documents and the median of their words.
SOURCES = {"web": (800, 30), "books": (60, 200), "code": (150, 60)}


@pytest.fixture(scope="session")
def three_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """web.jsonl, books.jsonl and code.jsonl."""
    folder = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(3)
    for source, (count, median) in SOURCES.items():
        sizes = np.maximum(1, rng.lognormal(np.log(median), 0.8, count)).astype(int)
        rows = [
            {"text": " ".join(rng.choice(WORDS, size)), "url": f"https://{source}.example/{n}"}
            for n, size in enumerate(sizes)
        ]
        (folder / f"{source}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder


@pytest.fixture
def mix(three_sources: Path, tmp_path: Path) -> Callable[..., Result]:
    """Runs them with a mixture, into tmp_path/run."""

    def go(mixture: str | None, *overrides: str) -> Result:
        path = tmp_path / "recipe.yaml"
        sources = [f"  {name}: {{kind: jsonl, paths: {three_sources}/{name}.jsonl}}" for name in SOURCES]
        lines = ["name: mixed", "sources:", *sources]
        if mixture:
            lines += [f"mixture: {mixture}", "tokens: {tokenizer: {train: 300}, shard_tokens: 20_000}"]
        path.write_text("\n".join(lines))
        with Cluster(0) as cluster:
            return run(load(str(path), overrides), str(tmp_path / "run"), cluster, lambda _: None, lambda _: None)

    return go
