"""A proxy run as a whole: what it learns, what it reports, and that it does both the same way twice."""

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

from mixtures.token_shards import TokenShards
from tests.trainer import planted
from trainer.batches import Batches
from trainer.config import Model, Optimizer, Training
from trainer.gpt import GPT
from trainer.guard import DivergedError
from trainer.loop import gpt_config
from trainer.optimizer import learning_rate
from trainer.proxy import train_proxy

SMALL = Training(model=Model(layers=2, width=32, context=16), steps=12, batch=4)
ROOT = Path(__file__).parents[2]


def at_rate(rate: float, steps: int = 12) -> Training:
    return SMALL.model_copy(update={"optimizer": Optimizer(learning_rate=rate), "steps": steps})


def test_a_planted_chain_is_learned_to_its_own_entropy(tokens: str) -> None:
    config = Training(
        model=Model(layers=1, width=32, context=32),
        optimizer=Optimizer(learning_rate=1e-2),
        steps=100,
        batch=16,
    )
    result = train_proxy(tokens, config, seed=0)
    assert result.validation is not None
    found, truth = result.validation.overall, planted.true_entropy(planted.markov(30, seed=2))
    assert truth <= found.nats_per_token < truth + 0.08
    assert found.nats_per_token < result.unigram.overall.nats_per_token - 1
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
    model = GPT(gpt_config(SMALL, 24))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95))
    optimizer.param_groups.clear()
    for weight in model.parameters():
        optimizer.add_param_group({"params": weight, "weight_decay": 0.1 if weight.ndim == 2 else 0.0})
    batches = Batches(TokenShards.open(tokens), SMALL.model.context, SMALL.batch, seed=3)
    wanted = []
    for step in range(SMALL.steps):
        inputs, targets = batches.at(step)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        wanted.append(loss.item())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = SMALL.optimizer.learning_rate * learning_rate(step, SMALL.steps, SMALL.schedule)
        optimizer.step()
    losses = [loss for _, loss in train_proxy(tokens, SMALL, seed=3).curve]
    assert losses == pytest.approx(wanted, rel=1e-5)


def test_one_thread_in_the_environment_gives_the_same_bits(tokens: str) -> None:
    program = (
        "import dataclasses, json, sys; from trainer.config import Training; from trainer.proxy import train_proxy;"
        "config = Training.model_validate(json.loads(sys.argv[2]));"
        "print(json.dumps(dataclasses.asdict(train_proxy(sys.argv[1], config, 3))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, tokens, json.dumps(SMALL.model_dump())],
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
    config = at_rate(1e30)
    with pytest.raises(DivergedError, match=r"diverged at step 1: loss 3\.178.*, gradient norm nan"):
        train_proxy(tokens, config, seed=0)


def test_weights_spoiled_by_the_last_step_are_no_result(tokens: str) -> None:
    config = at_rate(1e300, steps=1)
    with pytest.raises(DivergedError, match="last step, 0: the validation loss is nan"):
        train_proxy(tokens, config, seed=0)


def test_validation_documents_without_text_have_no_bits_per_byte(tmp_path: Path) -> None:
    empty = planted.shard(tmp_path, "books", [np.array([], np.int64)], "validation")
    folder = planted.finish(tmp_path, [planted.shard(tmp_path, "c4", planted.markov(40, seed=1)), empty])
    with pytest.raises(ValueError, match="the validation text of books is empty"):
        train_proxy(folder, SMALL, seed=0)


def test_too_few_tokens_for_a_batch(tmp_path: Path) -> None:
    folder = planted.finish(tmp_path, [planted.shard(tmp_path, "c4", [np.arange(1, 20)])])
    with pytest.raises(ValueError, match="has 20 training tokens; a batch of 4 rows of 16 needs 65"):
        train_proxy(folder, SMALL, seed=0)


def test_a_source_without_validation_is_absent_and_none_at_all_is_null(tokens: str, tmp_path: Path) -> None:
    result = train_proxy(tokens, SMALL, seed=0)
    assert result.validation is not None
    assert set(result.validation.sources) == {"c4"}
    assert result.validation.unmeasured == ["books"]
    assert result.validation.sources["c4"] == result.validation.overall
    folder = planted.finish(tmp_path, [planted.shard(tmp_path, "c4", planted.markov(40, seed=1))])
    assert train_proxy(folder, SMALL, seed=0).validation is None
