from pathlib import Path
from typing import Any

import pytest

from benchmarks import inputs, tokens
from mixtures.json_tokenizer import JsonTokenizer

SIDES = {"HF tokenizers", "tiktoken", "crawlmill, cold", "crawlmill, warm"}


@pytest.fixture
def tables(small_crawl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tokens, "ADVERSARIAL_CHARACTERS", 2000)
    monkeypatch.setattr(tokens.adversarial, "LANGUAGES", Path("none"))
    made = inputs.prepare(f"{small_crawl}/[ab].warc.gz", 240, 1, tmp_path, 100, 1, False)
    return lambda: {table.title: table for table in tokens.run(made)}


def test_everybody_encodes_the_same_pages_to_the_same_ids(tables: Any) -> None:
    found = tables()
    hard = found.pop("Tokens, adversarial texts")
    assert len(found) == 4
    for table in found.values():
        assert table.rows.keys() >= SIDES
        assert {row["documents"] for row in table.rows.values()} == {30}
        assert {row[tokens.DIFFER] for row in table.rows.values()} == {0}
        assert table.rows["HF tokenizers"]["times HF"] == 1
        assert not table.failures
    assert len(hard.rows) >= 2 * 8
    assert not hard.failures


def test_other_ids_are_a_broken_promise(tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = JsonTokenizer.encode_batch

    def wrong(self: JsonTokenizer, texts: Any) -> Any:
        ids, offsets = encode(self, texts)
        return ids + 1, offsets

    monkeypatch.setattr(JsonTokenizer, "encode_batch", wrong)
    for table in tables().values():
        assert table.failures
        assert all("other ids than Hugging Face's tokenizers" in failure for failure in table.failures)
