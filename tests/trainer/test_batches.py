"""The order of training: everything once an epoch, and no memory but the step."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mixtures.token_shards import TokenShards, Vocabulary, write_shard
from tests.trainer import planted
from trainer.batches import Batches

VOCABULARY = Vocabulary(size=100_000, eos_id=0)


def folder(path: Path, sources: dict[str, list[int]]) -> TokenShards:
    """Per source, the number of documents in each shard; a document is 9 ids and an EOS, and no id is there twice."""
    entries, following = [], 1
    for source, counts in sources.items():
        for number, documents in enumerate(counts):
            ids = np.arange(following, following + documents * 9).reshape(documents, 9)
            following += ids.size
            entries.append(write_shard(str(path), source, number, list(ids), 1, vocabulary=VOCABULARY))
    held = write_shard(str(path), "c4", 0, [np.array([99_999])], 1, vocabulary=VOCABULARY, split="validation")
    planted.finish(path, [*entries, held], VOCABULARY)
    return TokenShards.open(str(path))


def stream(shards: TokenShards) -> np.ndarray:
    return np.concatenate([shards.tokens(entry) for entry in shards.entries("train")])


def test_every_block_comes_once_an_epoch_and_epochs_differ(tmp_path: Path) -> None:
    shards = folder(tmp_path, {"books": [3], "c4": [11, 7]})
    tokens = stream(shards)
    batches = Batches(shards, context=8, batch=2, seed=1)
    assert batches.blocks == (len(tokens) - 1) // 8 == 26
    wanted = sorted(tokens[i : i + 9].tolist() for i in range(0, 26 * 8, 8))
    epochs = []
    for epoch in range(3):
        steps = [batches.at(step) for step in range(13 * epoch, 13 * (epoch + 1))]
        rows = torch.cat([torch.cat([inputs, targets[:, -1:]], dim=1) for inputs, targets in steps]).tolist()
        assert sorted(rows) == wanted
        assert all(torch.equal(inputs[:, 1:], targets[:, :-1]) for inputs, targets in steps)
        epochs.append(rows)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert steps[0][0].dtype == torch.int64
    assert steps[0][0].shape == steps[0][1].shape == (2, 8)


def test_resuming_at_a_step_is_going_on_across_epochs_and_within_a_batch(tmp_path: Path) -> None:
    shards = folder(tmp_path, {"c4": [5, 6]})
    going_on = Batches(shards, context=8, batch=5, seed=1)
    assert going_on.blocks % 5, "an epoch should end inside a batch"
    steps = [going_on.at(step) for step in range(12)]
    for step in (11, 3, 0, 7):
        inputs, targets = Batches(shards, context=8, batch=5, seed=1).at(step)
        assert torch.equal(inputs, steps[step][0])
        assert torch.equal(targets, steps[step][1])


def test_the_batch_size_cuts_one_and_the_same_order(tmp_path: Path) -> None:
    shards = folder(tmp_path, {"c4": [20]})
    small, large = Batches(shards, 8, 2, seed=1), Batches(shards, 8, 6, seed=1)
    assert torch.equal(
        torch.cat([small.at(step)[0] for step in range(9)]), torch.cat([large.at(s)[0] for s in range(3)])
    )


def test_how_tokens_are_cut_into_shards_does_not_matter(tmp_path: Path) -> None:
    whole = Batches(folder(tmp_path / "whole", {"c4": [24]}), context=32, batch=3, seed=4)
    parts = Batches(folder(tmp_path / "parts", {"c4": [1, 1, 2, 20]}), context=32, batch=3, seed=4)
    for step in range(6):
        assert torch.equal(whole.at(step)[0], parts.at(step)[0])
        assert torch.equal(whole.at(step)[1], parts.at(step)[1])


def test_no_more_shards_are_open_than_a_process_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = folder(tmp_path, {"c4": [1] * 40})
    wanted = [Batches(shards, context=16, batch=8, seed=0).at(number)[0] for number in range(3)]
    monkeypatch.setattr("trainer.batches.MOST_MAPPED", 2)
    batches = Batches(shards, context=16, batch=8, seed=0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number, rows in enumerate(wanted):
        assert torch.equal(batches.at(number)[0], rows)
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 2


def test_sources_are_mixed_in_their_shares_from_the_start(tmp_path: Path) -> None:
    shards = folder(tmp_path, {"books": [300], "c4": [900]})
    batches = Batches(shards, context=8, batch=32, seed=0)
    inputs = torch.cat([batches.at(step)[0] for step in range(12)])
    share = (inputs[:, 4] <= 300 * 9).double().mean().item()
    assert share == pytest.approx(0.25, abs=0.06)


def test_seeds_give_different_orders(tmp_path: Path) -> None:
    shards = folder(tmp_path, {"c4": [20]})
    assert not torch.equal(Batches(shards, 8, 8, seed=1).at(0)[0], Batches(shards, 8, 8, seed=2).at(0)[0])


def test_too_few_tokens_for_a_batch_says_how_many_it_takes(tmp_path: Path) -> None:
    shards = folder(tmp_path, {"c4": [4]})
    assert Batches(shards, context=13, batch=3, seed=0).blocks == 3
    with pytest.raises(ValueError, match=r"has 40 training tokens; a batch of 4 rows of 10 needs 41"):
        Batches(shards, context=10, batch=4, seed=0)


def test_the_order_is_pinned_so_that_no_release_reorders_a_run(tmp_path: Path) -> None:
    inputs, _ = Batches(folder(tmp_path, {"c4": [10]}), context=11, batch=9, seed=1).at(0)
    assert (inputs[:, 0] // 10).tolist() == [3, 1, 7, 6, 0, 5, 2, 8, 4]


@pytest.mark.parametrize("ranks", [2, 3, 6])
def test_processes_share_out_the_batch_that_one_alone_reads(tmp_path: Path, ranks: int) -> None:
    shards = folder(tmp_path, {"c4": [20]})
    alone = Batches(shards, context=8, batch=6, seed=1)
    shared = [Batches(shards, context=8, batch=6, seed=1, rank=rank, ranks=ranks) for rank in range(ranks)]
    for number in range(9):
        for whole, parts in zip(alone.at(number), zip(*(own.at(number) for own in shared), strict=True), strict=True):
            assert torch.equal(whole, torch.cat(parts))


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path: Path) -> None:
    shards = folder(tmp_path, {"c4": [20]})
    with pytest.raises(ValueError, match="4 processes cannot share a batch of 6 rows; make it a multiple of 4"):
        Batches(shards, context=8, batch=6, seed=1, ranks=4)
