"""Sources whose rules drop what is known: garbage, and a copy of a page that is held out."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mixtures import plan
from tests.conftest import prose

VALIDATION = 0.2
PAGES, GARBAGE = 30, 60
STEPS = 40
# Without it nothing has to be learnt.
NO_REFERENCE = "sources.web.reference=null"

RECIPE = """
name: ablated
sources:
  web:
    kind: jsonl
    paths: {folder}/web.jsonl
    rules: [gopher_quality, {{c4: {{min_sentences: 3}}}}, fineweb]
    reference: {{positives: {{kind: jsonl, paths: {folder}/positives.jsonl}}, keep: 0.9}}
    dedup: {{exact: true, minhash: {{bands: 14, rows: 8, ngram: 5}}}}
  books: {{kind: jsonl, paths: {folder}/books.jsonl, rules: [personal_data]}}
mixture: {{tokens: 20_000, weights: {{web: 0.8, books: 0.2}}, validation: {validation}, missing: report}}
tokens: {{tokenizer: {{train: 400}}}}
proxies:
  verify: {{seeds: 3}}
  targets: {{clean: {{kind: text, paths: {folder}/clean.jsonl}}}}
  training:
    model: {{layers: 1, width: 32, context: 32}}
    optimizer: {{learning_rate: 1.0e-2}}
    steps: {steps}
    batch: 8
"""


def garbage(count: int) -> list[str]:
    """Sentences of no words: only gopher_quality minds, for want of stop words."""
    random = np.random.default_rng(1)
    consonants = list("bcdfghjklmnpqrstvwxz")

    def sentence() -> str:
        return " ".join("".join(random.choice(consonants, 5)) for _ in range(10)) + "."

    return [" ".join(sentence() for _ in range(20)) for _ in range(count)]


def copied(rows: int) -> tuple[int, int]:
    """A row that is held out, and an earlier one that is not: of two copies the earlier one stays."""
    held_out = plan.held_out(np.arange(rows, dtype=np.uint64), 0, VALIDATION)
    late = int(np.flatnonzero(held_out)[-1])
    return int(np.flatnonzero(~held_out[:late])[0]), late


@cache
def written() -> dict[str, list[str]]:
    """The texts of each file. c4 drops one page, for a curly bracket: a near-duplicate of a page that is held out."""
    texts = prose(66, 8)
    pages = texts[:PAGES]
    early, late = copied(PAGES)
    pages[early] = pages[late].replace(". ", " {x}. ", 1)
    return {"web": pages + garbage(GARBAGE), "books": texts[30:40], "clean": texts[40:46], "positives": texts[46:]}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The recipe over web.jsonl (pages, then garbage) and books.jsonl, with clean.jsonl as the target."""
    for name, texts in written().items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(folder=tmp_path, validation=VALIDATION, steps=STEPS))
    return path
