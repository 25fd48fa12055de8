"""A run as a whole: whatever stops it, it goes on to the same weights; and what it says of itself is so."""

import hashlib
import json
import math
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from corpus.strict import RecipeError
from tests.trainer import planted
from trainer import checkpoints
from trainer.config import Checkpoints, Guard, Model, Optimizer, Run, Validation
from trainer.guard import DivergedError
from trainer.log import TRAIN, VALIDATION, rows
from trainer.loop import Loop
from trainer.run import Progress, Terminated
from trainer.train import train
from trainer.world import World

CPU = World(0, 1, torch.device("cpu"))
SMALL = Run(
    model=Model(layers=1, width=16, context=16),
    steps=12,
    batch=4,
    checkpoints=Checkpoints(every=5, keep=2),
    validation=Validation(every=4),
)


def go(tokens: str, out: Path, config: Run = SMALL, **more: Any) -> dict[str, Any]:
    return train(tokens, str(out), config, 0, CPU, **more)


def changed(config: Run = SMALL, **keys: object) -> Run:
    return config.model_copy(update=keys)


def files(out: Path) -> dict[str, str]:
    """What has to be the same, by name: the last checkpoint's bytes, and the losses without their speed."""
    last = checkpoints.every(out / "checkpoints")[-1].folder
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(last.iterdir())}
    losses = [{key: row[key] for key in ("step", "tokens", "loss", "learning_rate")} for row in rows(out / TRAIN)]
    return {**found, TRAIN: json.dumps(losses), VALIDATION: (out / VALIDATION).read_text()}


class KilledError(Exception):
    pass


def killed_after(step: int) -> Any:
    def show(progress: Progress) -> None:
        if progress.step == step:
            raise KilledError

    return show


def stop_at(progress: Progress, step: int) -> None:
    if progress.step == step:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def undisturbed(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    go(tokens, out)
    return out


def test_a_run_says_what_it_found(tokens: str, undisturbed: Path) -> None:
    result = json.loads((undisturbed / "result.json").read_text())
    losses = rows(undisturbed / TRAIN)
    assert [row["step"] for row in losses] == list(range(1, 13))
    assert losses[0]["loss"] == pytest.approx(math.log(24), rel=0.02)
    assert losses[-1]["tokens"] == result["tokens"] == 12 * 4 * 16
    assert result["final_loss"] == losses[-1]["loss"]
    looks = rows(undisturbed / VALIDATION)
    assert [row["step"] for row in looks] == [4, 8, 12]
    assert looks[-1]["overall"] == result["validation"]["overall"]
    assert set(looks[-1]["sources"]) == {"c4"}
    assert result["tokens_per_second"] > 0
    assert 0 < result["utilisation"] < 1
    assert (undisturbed / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (undisturbed / "tokenizer.json").read_bytes() == planted.TOKENIZER


@pytest.mark.parametrize("step", [1, 4, 5, 7, 11])
def test_a_killed_run_goes_on_to_the_same_weights_and_losses(
    tokens: str, undisturbed: Path, tmp_path: Path, step: int
) -> None:
    with pytest.raises(KilledError):
        go(tokens, tmp_path, show=killed_after(step))
    go(tokens, tmp_path)
    assert files(tmp_path) == files(undisturbed)


def test_killed_between_a_checkpoint_and_the_look_after_it_the_look_is_made_up_for(
    tokens: str, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("trainer.run.validate", dies)
        with pytest.raises(KilledError):
            go(tokens, tmp_path, changed(checkpoints=Checkpoints(every=4)))
    assert checkpoints.every(tmp_path / "checkpoints")[-1].step == 4
    go(tokens, tmp_path)
    assert files(tmp_path) == files(undisturbed)


def test_resuming_across_an_epoch_is_bit_equal(tmp_path: Path) -> None:
    entry = planted.shard(tmp_path, "c4", planted.markov(20, seed=1))
    tokens = planted.finish(tmp_path, [entry])
    assert (entry.tokens - 1) // 16 == 50, "so that the thirteenth batch of four blocks has some of two epochs"
    config = changed(steps=16, checkpoints=Checkpoints(every=9))
    go(tokens, tmp_path / "whole", config)
    with pytest.raises(KilledError):
        go(tokens, tmp_path / "killed", config, show=killed_after(14))
    go(tokens, tmp_path / "killed", config)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_killed_between_the_last_checkpoint_and_the_result_it_finds_the_same_result(
    tokens: str, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed, tmp_path / "out")
    wanted = json.loads((tmp_path / "out/result.json").read_text())
    (tmp_path / "out/result.json").unlink()
    found = go(tokens, tmp_path / "out")
    assert found["validation"] == wanted["validation"]
    assert found["final_loss"] == wanted["final_loss"]
    assert files(tmp_path / "out") == files(undisturbed)


def test_a_run_whose_losses_were_lost_has_no_result(tokens: str, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path / "out")
    (tmp_path / "out/result.json").unlink()
    (tmp_path / "out" / TRAIN).write_text("")
    with pytest.raises(ValueError, match=r"train\.jsonl has lost its rows, of which the result is made"):
        go(tokens, tmp_path / "out")


def test_a_finished_run_without_its_last_checkpoint_is_not_finished(
    tokens: str, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed, tmp_path / "out")
    shutil.rmtree(checkpoints.every(tmp_path / "out/checkpoints")[-1].folder)
    with pytest.raises(KilledError):
        go(tokens, tmp_path / "out", show=killed_after(11))
    assert not (tmp_path / "out/result.json").exists()
    go(tokens, tmp_path / "out")
    assert files(tmp_path / "out") == files(undisturbed)


def test_asked_to_stop_it_saves_before_it_looks_at_held_out_text(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("trainer.run.validate", fails)
    with pytest.raises(Terminated):
        go(tokens, tmp_path, show=lambda progress: stop_at(progress, 4))
    assert checkpoints.every(tmp_path / "checkpoints")[-1].step == 4


def test_a_finished_run_is_left_as_it_is(tokens: str, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/checkpoints").rglob("*")}
    said: list[str] = []
    assert go(tokens, tmp_path / "out", say=said.append) == json.loads((undisturbed / "result.json").read_text())
    assert any("nothing to do" in words for words in said)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out/checkpoints").rglob("*")} == before


def test_the_last_checkpoints_stay_and_the_one_that_validated_best(tmp_path: Path) -> None:
    # Few documents again and again: what is held out is predicted worse and worse.
    entries = [
        planted.shard(tmp_path, "c4", planted.markov(5, seed=1)),
        planted.shard(tmp_path, "c4", planted.markov(30, seed=2), "validation"),
    ]
    config = changed(
        model=Model(layers=1, width=32, context=16),
        steps=60,
        optimizer=Optimizer(learning_rate=3e-2),
        validation=Validation(every=10),
        checkpoints=Checkpoints(every=15),
    )
    go(planted.finish(tmp_path, entries), tmp_path / "out", config)
    looks = {row["step"]: row["overall"]["nats_per_token"] for row in rows(tmp_path / "out" / VALIDATION)}
    best = min(looks, key=lambda step: looks[step])
    assert best < 45, "the planted rise"
    found = checkpoints.every(tmp_path / "out/checkpoints")
    assert [checkpoint.step for checkpoint in found] == [best, 45, 60]
    assert [checkpoint.is_regular for checkpoint in found] == [False, True, True]


def test_another_configuration_or_other_shards_in_the_same_folder_are_refused(
    tokens: str, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    with pytest.raises(RecipeError, match=r"told otherwise:\n  batch: 4 there, 8 here"):
        go(tokens, out, changed(batch=8))
    with pytest.raises(RecipeError, match="seed: 0 there, 1 here"):
        train(tokens, str(out), SMALL, 1, CPU)
    other = planted.finish(tmp_path, [planted.shard(tmp_path, "c4", planted.markov(99, seed=3))])
    with pytest.raises(RecipeError, match="data: "):
        go(other, out)


def test_what_is_done_between_steps_may_differ_when_a_run_goes_on(
    tokens: str, undisturbed: Path, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        go(tokens, tmp_path, show=killed_after(7))
    go(tokens, tmp_path, changed(recompute=True, checkpoints=Checkpoints(every=3), validation=Validation(every=12)))
    assert files(tmp_path)["model.safetensors"] == files(undisturbed)["model.safetensors"]


def test_a_batch_that_the_shards_do_not_fill_is_refused(tokens: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Lower the batch or the context"):
        go(tokens, tmp_path, changed(batch=100_000))


def test_a_checkpoint_of_another_run_to_begin_with(tokens: str, undisturbed: Path, tmp_path: Path) -> None:
    stem = checkpoints.every(undisturbed / "checkpoints")[0]
    said: list[str] = []
    with pytest.raises(KilledError):
        go(tokens, tmp_path / "same", start=str(stem.folder), say=said.append, show=killed_after(stem.step + 2))
    go(tokens, tmp_path / "same", start=str(stem.folder), say=said.append)
    assert files(tmp_path / "same")["model.safetensors"] == files(undisturbed)["model.safetensors"]
    assert not any("first batch" in words for words in said)
    larger = go(tokens, tmp_path / "larger", changed(batch=8), start=str(stem.folder), say=said.append)
    assert larger["tokens"] == stem.step * 4 * 16 + (12 - stem.step) * 8 * 16
    looked = {row["step"]: row["tokens"] for row in rows(tmp_path / "larger" / VALIDATION)}
    assert looked[8] == stem.step * 4 * 16 + (8 - stem.step) * 8 * 16
    assert checkpoints.every(tmp_path / "larger/checkpoints")[-1].state["position"] == 12 - stem.step
    assert any("begun with their first batch" in words for words in said)
    other = planted.finish(tmp_path, [planted.shard(tmp_path, "c4", planted.markov(99, seed=3))])
    go(other, tmp_path / "other", start=str(stem.folder), say=said.append)
    assert checkpoints.every(tmp_path / "other/checkpoints")[-1].state["position"] == 12 - stem.step
    strange = planted.finish(tmp_path, [planted.shard(tmp_path, "c4", planted.markov(99, seed=3))], tokenizer=b"{}")
    with pytest.raises(RecipeError, match="the same ids mean other tokens"):
        go(strange, tmp_path / "strange", start=str(stem.folder))
    model = SMALL.model.model_copy(update={"tied": True})
    with pytest.raises(RecipeError, match=r"of another model; give the same:\n  model\.tied: False there, True here"):
        go(tokens, tmp_path / "tied", changed(model=model), start=str(stem.folder))
    with pytest.raises(RecipeError, match="steps already; steps counts these too, so give more"):
        go(tokens, tmp_path / "short", changed(steps=stem.step), start=str(stem.folder))
    with pytest.raises(RecipeError, match="start: "):
        go(tokens, tmp_path / "same")


def spiking(monkeypatch: pytest.MonkeyPatch, *positions: int) -> None:
    """Batches whose loss is not a number, though nothing is wrong with the weights."""
    honest = Loop.gradient

    def gradient(self: Loop) -> tuple[float, float]:
        loss, norm = honest(self)
        return (math.nan, norm) if self.position - 1 in positions else (loss, norm)

    monkeypatch.setattr(Loop, "gradient", gradient)


def test_a_loss_that_is_no_number_ends_training_and_leaves_the_last_checkpoint(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spiking(monkeypatch, 7)
    with pytest.raises(DivergedError, match=r"training diverged at step 7: loss None"):
        go(tokens, tmp_path)
    assert [checkpoint.step for checkpoint in checkpoints.every(tmp_path / "checkpoints")] == [4, 5]
    assert not (tmp_path / "result.json").exists()
    # As the error says: the same run, with such steps left out.
    assert len(go(tokens, tmp_path, changed(guard=Guard(action="skip")))["spikes"]) == 1


def test_a_rate_that_is_far_too_high_is_no_result(tokens: str, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="diverged at step 1"):
        go(tokens, tmp_path, changed(optimizer=Optimizer(learning_rate=1e30)))
    with pytest.raises(DivergedError, match="the validation loss is nan"):
        go(tokens, tmp_path / "last", changed(optimizer=Optimizer(learning_rate=1e300), steps=1))


def test_a_spike_skipped_is_counted_and_its_batch_left_out(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spiking(monkeypatch, 2, 7)
    said: list[str] = []
    result = go(tokens, tmp_path, changed(guard=Guard(action="skip")), say=said.append)
    assert [(spike["step"], spike["position"]) for spike in result["spikes"]] == [(2, 2), (6, 7)]
    assert sum("left out" in words for words in said) == 2
    last = checkpoints.every(tmp_path / "checkpoints")[-1]
    assert (last.step, last.state["position"]) == (12, 14)
    assert [row["step"] for row in rows(tmp_path / TRAIN)] == list(range(1, 13))


@pytest.mark.parametrize("action", ["skip", "rollback"])
def test_a_run_with_spikes_is_resumed_to_the_same_weights(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    spiking(monkeypatch, 2, 7)
    config = changed(guard=Guard.model_validate({"action": action}))
    go(tokens, tmp_path / "whole", config)
    for step in (3, 6, 8):
        with pytest.raises(KilledError):
            go(tokens, tmp_path / "killed", config, show=killed_after(step))
    with pytest.raises(Terminated):
        go(tokens, tmp_path / "killed", config, show=lambda progress: stop_at(progress, 9))
    go(tokens, tmp_path / "killed", config)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_with_rollback_what_is_regular_may_not_differ_and_what_is_not_does_not_count(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spiking(monkeypatch, 9)
    config = changed(guard=Guard(action="rollback"), validation=Validation(every=100))
    go(tokens, tmp_path / "whole", config)
    with pytest.raises(Terminated):
        go(tokens, tmp_path / "stopped", config, show=lambda progress: stop_at(progress, 8))
    with pytest.raises(RecipeError, match=r"checkpoints\.every: 5 there, 2 here"):
        go(tokens, tmp_path / "stopped", config.model_copy(update={"checkpoints": Checkpoints(every=2)}))
    # The checkpoint at 8 is where it was stopped, and no place to go back to.
    go(tokens, tmp_path / "stopped", config)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert checkpoints.every(tmp_path / "stopped/checkpoints")[-1].state["position"] == 17


def test_rolled_back_it_goes_on_from_the_last_checkpoint_with_the_batches_after_the_spike(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spiking(monkeypatch, 2, 9)
    said: list[str] = []
    read: list[tuple[int, int]] = []
    honest = Loop.update

    def update(self: Loop) -> None:
        read.append((self.step, self.position - 1))
        honest(self)

    monkeypatch.setattr(Loop, "update", update)
    config = changed(guard=Guard(action="rollback"), validation=Validation(every=100))
    result = go(tokens, tmp_path, config, say=said.append)
    assert [spike["action"] for spike in result["spikes"]] == ["rollback", "rollback"]
    # Batch 2 takes it back to the start and batch 9, which is its seventh step, to the checkpoint at 5.
    wanted = [(0, 0), (1, 1), *((n, n + 3) for n in range(6)), *((n, n + 5) for n in range(5, 12))]
    assert read == wanted
    assert [row["step"] for row in rows(tmp_path / TRAIN)] == list(range(1, 13))
    assert "back at step 0" in said[0]
    assert "back at step 5" in said[-1]


def test_asked_to_stop_it_leaves_a_checkpoint_and_goes_on_from_there(
    tokens: str, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated, match="step 7 is saved"):
        go(tokens, tmp_path, show=lambda progress: stop_at(progress, 7))
    assert signal.getsignal(signal.SIGTERM) is before
    assert checkpoints.every(tmp_path / "checkpoints")[-1].step == 7
    go(tokens, tmp_path)
    ours, theirs = files(tmp_path), files(undisturbed)
    assert ours == theirs


def test_in_a_thread_there_are_no_signals_to_listen_to(tokens: str, tmp_path: Path) -> None:
    found: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: found.append(go(tokens, tmp_path, changed(steps=2))))
    thread.start()
    thread.join()
    assert found[0]["steps"] == 2


def test_without_held_out_text_there_is_no_validation(tmp_path: Path) -> None:
    tokens = planted.finish(tmp_path, [planted.shard(tmp_path, "c4", planted.markov(60, seed=1))])
    result = go(tokens, tmp_path / "out")
    assert result["validation"] is None
    assert (tmp_path / "out" / VALIDATION).read_text() == ""
    assert (tmp_path / "out/loss.png").exists()


def test_a_planted_chain_is_learned_to_its_own_entropy(tokens: str, tmp_path: Path) -> None:
    config = Run(
        model=Model(layers=1, width=32, context=32, heads=2, kv_heads=1, tied=True),
        optimizer=Optimizer(learning_rate=1e-2),
        steps=120,
        batch=16,
    )
    found = go(tokens, tmp_path, config)["validation"]["overall"]["nats_per_token"]
    truth = planted.true_entropy(planted.markov(30, seed=2))
    assert truth <= found < truth + 0.08


def test_losses_are_those_of_a_plain_loop(tokens: str, undisturbed: Path) -> None:
    """The batches in their order, the mean over their tokens, AdamW: with nothing of the run's machinery."""
    from mixtures.token_shards import TokenShards
    from trainer.batches import Batches
    from trainer.gpt import GPT
    from trainer.loop import gpt_config
    from trainer.optimizer import adamw, learning_rate

    torch.manual_seed(0)
    model = GPT(gpt_config(SMALL, 24))
    optimizer = adamw(model, SMALL.optimizer)
    batches = Batches(TokenShards.open(tokens), 16, 4, 0)
    wanted = []
    for step in range(12):
        inputs, targets = batches.at(step)
        loss = torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * learning_rate(step, 12, SMALL.schedule)
        optimizer.step()
        optimizer.zero_grad()
        wanted.append(loss.item())
    np.testing.assert_allclose([row["loss"] for row in rows(undisturbed / TRAIN)], wanted, rtol=1e-5)
