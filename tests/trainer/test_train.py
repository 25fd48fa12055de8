"""Training as a whole: what it learns, what it reports, and that it does both the same way twice."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mixtures.token_shards import ShardEntry, TokenShards, Vocabulary, write_manifest, write_shard
from trainer.batches import Batches
from trainer.evaluate import count_tokens, entropy, total_nats, validate
from trainer.gpt import GPT, GPTConfig
from trainer.train import DivergedError, ProxyConfig, schedule, train_proxy

VOCABULARY = Vocabulary(size=24, eos_id=0)
SMALL = ProxyConfig(layers=2, width=32, steps=12, context=16, batch=4)
ROOT = Path(__file__).parents[2]


def transitions() -> np.ndarray:
    """P[i, j], the chance that j comes after i: four followers each, at .6, .2, .15 and .05; 0 ends the document."""
    chances = np.zeros((24, 24))
    generator = np.random.default_rng(5)
    for token in range(24):
        followers = generator.choice(np.arange(1, 24), 4, replace=False)
        chances[token, followers] = 0.97 * np.array([0.6, 0.2, 0.15, 0.05])
        chances[token, 0] = 0.03
    chances[0] = np.where(np.arange(24) == 0, 0, chances[0]) / chances[0, 1:].sum()
    return chances


def markov(documents: int, seed: int) -> list[np.ndarray]:
    """Documents of the chain, which starts after an EOS and leaves it out."""
    chances, generator = transitions(), np.random.default_rng(seed)
    made = []
    for _ in range(documents):
        token, ids = 0, []
        while token := int(generator.choice(24, p=chances[token])):
            ids.append(token)
        made.append(np.array(ids, np.int64))
    return made


def true_entropy(documents: list[np.ndarray]) -> float:
    """Nats per token that the chain itself gives the documents, their EOS included."""
    chances = transitions()
    stream = np.concatenate([[0], *(np.append(ids, 0) for ids in documents)])
    return float(-np.log(chances[stream[:-1], stream[1:]]).mean())


def write(folder: Path, entries: list[ShardEntry]) -> str:
    write_manifest(
        str(folder), entries, vocabulary=VOCABULARY, tokenizer_sha256="", recipe_hash="", seed=0, version="0"
    )
    return str(folder)


def shard(folder: Path, source: str, documents: list[np.ndarray], split: str = "train", number: int = 0) -> ShardEntry:
    text_bytes = 3 * sum(len(ids) for ids in documents)
    return write_shard(str(folder), source, number, documents, text_bytes, vocabulary=VOCABULARY, split=split)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two sources to train on, one of them with validation shards."""
    folder = tmp_path_factory.mktemp("tokens")
    train = markov(400, seed=1)
    return write(
        folder,
        [
            shard(folder, "books", train[:100]),
            shard(folder, "c4", train[100:]),
            shard(folder, "c4", markov(30, seed=2), "validation"),
        ],
    )


def test_a_planted_chain_is_learned_to_its_own_entropy(tokens: str) -> None:
    config = ProxyConfig(layers=1, width=32, steps=100, context=32, batch=16, learning_rate=1e-2)
    result = train_proxy(tokens, config, seed=0)
    assert result.validation is not None
    found, truth = result.validation.overall, true_entropy(markov(30, seed=2))
    assert truth <= found.nats_per_token < truth + 0.08
    assert found.nats_per_token < found.unigram_nats_per_token - 1
    assert result.final_loss < result.unigram_entropy - 1
    assert result.initial_loss == pytest.approx(math.log(24), rel=0.02)
    assert result.train_tokens == 100 * 16 * 32


def test_the_same_inputs_give_the_same_bits_and_another_seed_does_not(tokens: str) -> None:
    seen: list[tuple[int, float]] = []
    first = train_proxy(tokens, SMALL, seed=3, progress=lambda step, loss: seen.append((step, loss)))
    assert first == train_proxy(tokens, SMALL, seed=3)
    assert first.curve == seen
    assert [step for step, _ in seen] == list(range(12))
    other = train_proxy(tokens, SMALL, seed=4)
    assert other.initial_loss != first.initial_loss
    assert other.unigram_entropy == first.unigram_entropy


def test_every_step_is_adamw_on_its_own_gradient_at_the_scheduled_rate(tokens: str) -> None:
    torch.manual_seed(3)
    model = GPT(SMALL.model(24))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95))
    optimizer.param_groups.clear()
    for weight in model.parameters():
        optimizer.add_param_group({"params": weight, "weight_decay": 0.1 if weight.ndim == 2 else 0.0})
    batches = Batches(TokenShards.open(tokens), SMALL.context, SMALL.batch, seed=3)
    wanted = []
    for step in range(SMALL.steps):
        inputs, targets = batches.at(step)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        wanted.append(loss.item())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = SMALL.learning_rate * schedule(step, SMALL.steps)
        optimizer.step()
    losses = [loss for _, loss in train_proxy(tokens, SMALL, seed=3).curve]
    assert losses == pytest.approx(wanted, rel=1e-5)


def test_one_thread_in_the_environment_gives_the_same_bits(tokens: str) -> None:
    program = (
        "import dataclasses, json, sys; from trainer.train import ProxyConfig, train_proxy;"
        "print(json.dumps(dataclasses.asdict(train_proxy(sys.argv[1], ProxyConfig(**json.loads(sys.argv[2])), 3))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, tokens, json.dumps(dataclasses.asdict(SMALL))],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    there = json.loads(run.stdout)
    here = json.loads(json.dumps(dataclasses.asdict(train_proxy(tokens, SMALL, 3))))
    assert there.pop("seconds") > 0
    assert here.pop("seconds") > 0
    assert there == here


def test_what_it_changes_in_torch_is_as_it_was(tokens: str) -> None:
    torch.manual_seed(9)
    wanted = torch.rand(3)
    torch.manual_seed(9)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        inside: set[int] = set()
        train_proxy(tokens, SMALL, seed=0, progress=lambda step, loss: inside.add(torch.get_num_threads()))
        assert inside == {os.cpu_count()}
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.rand(3), wanted)


def test_divergence_is_an_error_that_names_the_step(tokens: str) -> None:
    # The first step multiplies every weight by about -1e29, and a norm of that overflows.
    config = dataclasses.replace(SMALL, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"diverged at step 1: loss 3\.178.*, gradient norm nan"):
        train_proxy(tokens, config, seed=0)


def test_weights_spoiled_by_the_last_step_are_no_result(tokens: str) -> None:
    config = dataclasses.replace(SMALL, learning_rate=1e300, steps=1)
    with pytest.raises(DivergedError, match="last step, 0: the validation loss is nan"):
        train_proxy(tokens, config, seed=0)


def test_validation_documents_without_text_have_no_bits_per_byte(tmp_path: Path) -> None:
    empty = shard(tmp_path, "books", [np.array([], np.int64)], "validation")
    folder = write(tmp_path, [shard(tmp_path, "c4", markov(40, seed=1)), empty])
    with pytest.raises(ValueError, match="the validation text of books is empty"):
        train_proxy(folder, SMALL, seed=0)


def test_too_few_tokens_for_a_batch(tmp_path: Path) -> None:
    folder = write(tmp_path, [shard(tmp_path, "c4", [np.arange(1, 20)])])
    with pytest.raises(ValueError, match="has 20 training tokens; a batch of 4 rows of 16 needs 65"):
        train_proxy(folder, SMALL, seed=0)


def test_a_source_without_validation_is_absent_and_none_at_all_is_null(tokens: str, tmp_path: Path) -> None:
    result = train_proxy(tokens, SMALL, seed=0)
    assert result.validation is not None
    assert set(result.validation.sources) == {"c4"}
    assert result.validation.unmeasured == ["books"]
    assert result.validation.sources["c4"] == result.validation.overall
    folder = write(tmp_path, [shard(tmp_path, "c4", markov(40, seed=1))])
    assert train_proxy(folder, SMALL, seed=0).validation is None


def uniform() -> GPT:
    """Every logit is 0, so that every token costs ln 24."""
    model = GPT(GPTConfig(vocabulary=24, layers=1, width=8, heads=1, kv_heads=1, context=16, hidden=8))
    torch.nn.init.zeros_(model.embedding.weight)
    return model


def test_bits_per_byte_by_hand(tmp_path: Path) -> None:
    books, c4 = [np.array([1, 2, 3]), np.array([], np.int64)], [np.arange(1, 20)]
    entries = [
        shard(tmp_path, "books", [np.array([1, 1, 2])]),
        shard(tmp_path, "books", books, "validation"),
        shard(tmp_path, "c4", c4, "validation"),
    ]
    shards = TokenShards.open(write(tmp_path, entries))
    found = validate(uniform(), shards, count_tokens(shards), rows=1)
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
    assert found.sources["books"].unigram_nats_per_token == pytest.approx(nats / 5)
    assert found.sources["books"].unigram_bits_per_byte == pytest.approx(nats / math.log(2) / 9)
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
        assert total_nats(model, tokens, 0, rows) == pytest.approx(wanted, rel=1e-5)


def test_learning_rate_warms_up_to_its_highest_and_falls_to_a_tenth() -> None:
    rates = [schedule(step, 200) for step in range(200)]
    assert rates[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert max(rates) == rates[19] == rates[20] == 1
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] == pytest.approx(0.1)
    assert [schedule(step, 1) for step in range(1)] == [1]


@pytest.mark.parametrize(("width", "heads"), [(32, 1), (128, 4), (256, 4), (16, 1)])
def test_heads_unsaid_are_of_64_or_of_32_in_a_narrow_model(width: int, heads: int) -> None:
    assert ProxyConfig(width=width).model(100).heads == heads


@pytest.mark.parametrize("name", ["layers", "width", "steps", "context", "batch"])
def test_a_size_below_one_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
        ProxyConfig(**{name: 0})
