"""Losses on held-out text, against arithmetic by hand and against one token at a time."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mixtures.token_shards import TokenShards
from tests.trainer import planted
from trainer.evaluate import count_tokens, entropy, model_nats, unigram_nats, validate
from trainer.gpt import GPT, GPTConfig
from trainer.world import World

CPU = World(0, 1, torch.device("cpu"))


def uniform() -> GPT:
    """Every logit is 0, so that every token costs ln 24."""
    model = GPT(GPTConfig(vocabulary=24, layers=1, width=8, heads=1, kv_heads=1, context=16, hidden=8))
    torch.nn.init.zeros_(model.embedding.weight)
    return model


def test_bits_per_byte_by_hand(tmp_path: Path) -> None:
    books, c4 = [np.array([1, 2, 3]), np.array([], np.int64)], [np.arange(1, 20)]
    entries = [
        planted.shard(tmp_path, "books", [np.array([1, 1, 2])]),
        planted.shard(tmp_path, "books", books, "validation"),
        planted.shard(tmp_path, "c4", c4, "validation"),
    ]
    shards = TokenShards.open(planted.finish(tmp_path, entries))
    found = validate(shards, model_nats(uniform(), 16, 0, 1, CPU))
    assert found is not None
    for own, tokens, text_bytes in [
        (found.sources["books"], 5, 9),
        (found.sources["c4"], 20, 57),
        (found.overall, 25, 66),
    ]:
        assert (own.tokens, own.text_bytes) == (tokens, text_bytes)
        assert own.nats_per_token == pytest.approx(math.log(24))
        assert own.bits_per_byte == pytest.approx(tokens * math.log2(24) / text_bytes)
    # Training has 1 1 2 EOS: one more of each of 24 gives 3/28, 2/28 and 2/28, and 1/28 to all others.
    nats = -math.log(3 / 28) - math.log(2 / 28) - math.log(1 / 28) - 2 * math.log(2 / 28)
    unigram = validate(shards, unigram_nats(count_tokens(shards)))
    assert unigram is not None
    assert unigram.sources["books"].nats_per_token == pytest.approx(nats / 5)
    assert unigram.sources["books"].bits_per_byte == pytest.approx(nats / math.log(2) / 9)
    assert found.unmeasured == []
    assert entropy(count_tokens(shards)) == pytest.approx(1.5 * math.log(2))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 50])
def test_every_token_is_predicted_once_from_its_own_window(length: int) -> None:
    torch.manual_seed(1)
    model = GPT(GPTConfig(vocabulary=24, layers=2, width=16, heads=2, kv_heads=2, context=16, hidden=16))
    torch.nn.init.normal_(model.embedding.weight)
    tokens = np.random.default_rng(0).integers(0, 24, length).astype(np.uint16)
    wanted = 0.0
    with torch.no_grad():
        for place in range(length):
            window = [0, *tokens.tolist()][place // 16 * 16 : place + 1]
            logits = model(torch.tensor([window]))[0, -1]
            wanted -= torch.log_softmax(logits, dim=0)[int(tokens[place])].item()
    for rows in (1, 3):
        assert model_nats(model, 16, 0, rows, CPU)(tokens) == pytest.approx(wanted, rel=1e-5)


def test_the_first_tokens_of_each_source_are_what_a_limit_leaves(tmp_path: Path) -> None:
    first, second = [np.array([1, 2, 3])], [np.arange(1, 20)]
    entries = [
        planted.shard(tmp_path, "books", [np.array([1, 1, 2])]),
        planted.shard(tmp_path, "c4", first, "validation", 0),
        planted.shard(tmp_path, "c4", second, "validation", 1),
        planted.shard(tmp_path, "books", [np.array([5])], "validation"),
    ]
    shards = TokenShards.open(planted.finish(tmp_path, entries))
    seen: list[list[int]] = []

    def nats(tokens: np.ndarray) -> float:
        seen.append(tokens.tolist())
        return float(len(tokens))

    found = validate(shards, nats, most=6)
    assert found is not None
    assert seen == [[5, 0], [1, 2, 3, 0, 1, 2]]
    # 22 of the 24 tokens are text, of 3 bytes each.
    assert found.sources["c4"].text_bytes == round(6 * 66 / 24)
    assert found.sources["c4"].nats_per_token == 1
    assert found.overall.tokens == 8


def test_processes_share_out_the_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    model = GPT(GPTConfig(vocabulary=24, layers=1, width=16, heads=2, kv_heads=2, context=16, hidden=16))
    torch.nn.init.normal_(model.embedding.weight)
    tokens = np.random.default_rng(0).integers(0, 24, 150).astype(np.uint16)
    # Each sees its own part of the sum where nothing is added up.
    monkeypatch.setattr(World, "sum", lambda self, *values: list(values))
    parts = [model_nats(model, 16, 0, 2, World(rank, 3, CPU.device))(tokens) for rank in range(3)]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(model_nats(model, 16, 0, 2, CPU)(tokens), rel=1e-12)
