"""Checkpoints on a disk that is full, files that were damaged, and names that are none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mixtures.token_shards import TokenShards
from trainer import checkpoints
from trainer.batches import Batches
from trainer.checkpoints import CheckpointError
from trainer.config import Model, Training
from trainer.loop import Loop
from trainer.world import World

ROOT = Path(__file__).parents[2]


def loop(tokens: str, width: int = 16, tied: bool = False) -> Loop:
    config = Training(model=Model(layers=1, width=width, context=16, tied=tied), batch=4)
    batches = Batches(TokenShards.open(tokens), 16, 4, 0)
    return Loop(config, 24, batches, World(0, 1, torch.device("cpu")))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("steps", [0, 2])
def test_what_was_saved_goes_on_as_what_it_was_saved_from(tokens: str, tmp_path: Path, tied: bool, steps: int) -> None:
    first, second = loop(tokens, tied=tied), loop(tokens, tied=tied)
    for _ in range(steps):
        first.gradient()
        first.update()
    checkpoint = checkpoints.save(tmp_path, first, {"data": "x"}, regular=True)
    assert [found.state for found in checkpoints.every(tmp_path)] == [checkpoint.state]
    assert (checkpoint.step, checkpoint.is_regular, checkpoint.state["data"]) == (steps, True, "x")
    checkpoints.restore(checkpoint, second)
    for _ in range(2):
        assert first.gradient() == second.gradient()
        first.update()
        second.update()
    assert (first.step, first.position) == (second.step, second.position) == (steps + 2, steps + 2)
    assert first.tokens == second.tokens == (steps + 2) * 4 * 16
    for ours, theirs in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_a_changed_byte_and_a_missing_file_are_named(tokens: str, tmp_path: Path, name: str) -> None:
    made = loop(tokens)
    checkpoint = checkpoints.save(tmp_path, made, {}, regular=True)
    path = checkpoint.folder / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        CheckpointError, match=rf"{name} has sha256 .*wants.*may be removed: the run goes on from the one before"
    ):
        checkpoints.restore(checkpoint, made)
    path.unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        checkpoints.restore(checkpoint, made)


def test_weights_of_another_model_are_refused(tokens: str, tmp_path: Path) -> None:
    checkpoint = checkpoints.save(tmp_path, loop(tokens), {}, regular=True)
    with pytest.raises(CheckpointError, match="is of another model"):
        checkpoints.restore(checkpoint, loop(tokens, width=32))


def test_what_is_no_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is no checkpoint: it has no state\.json"):
        checkpoints.at(tmp_path)
    (tmp_path / "step-00000001.tmp-7").mkdir()
    assert checkpoints.every(tmp_path) == []
    (tmp_path / "step-00000002").mkdir()
    (tmp_path / "step-00000002/state.json").write_text('{"step": 2,')
    with pytest.raises(CheckpointError, match=r"step-00000002/state\.json is damaged: .*may be removed"):
        checkpoints.every(tmp_path)


def test_a_model_with_an_output_layer_of_its_own_is_not_read_as_one_without(tokens: str, tmp_path: Path) -> None:
    checkpoint = checkpoints.save(tmp_path, loop(tokens), {}, regular=True)
    with pytest.raises(CheckpointError, match="has an output layer of its own"):
        checkpoints.restore(checkpoint, loop(tokens, tied=True))


def test_what_is_pruned_is_neither_regular_and_recent_nor_newest_nor_best(tokens: str, tmp_path: Path) -> None:
    made = loop(tokens)
    for made.step, regular in ((0, True), (10, True), (13, False), (20, True), (30, True), (31, False), (33, False)):
        checkpoints.save(tmp_path, made, {}, regular=regular)
    checkpoints.prune(tmp_path, 2, best=13)
    assert [checkpoint.step for checkpoint in checkpoints.every(tmp_path)] == [13, 20, 30, 33]
    checkpoints.forget(tmp_path, 20)
    assert [checkpoint.step for checkpoint in checkpoints.every(tmp_path)] == [13, 20]


FULL = """
import resource, sys
from pathlib import Path
from tests.trainer.test_checkpoints import loop
from trainer import checkpoints
made = loop(sys.argv[1])
checkpoints.save(Path(sys.argv[2]), made, {}, regular=True)
made.gradient(); made.update()
# Files above this size cannot be written, as on a disk that is full: the system refuses, and nobody is told before.
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    checkpoints.save(Path(sys.argv[2]), made, {}, regular=True)
except checkpoints.CheckpointError as error:
    print(error)
"""


# The weights are 10 kB and the moments 20 kB.
@pytest.mark.parametrize("room", [100, 15_000])
def test_a_disk_that_is_full_leaves_the_last_checkpoint_as_it_was(tokens: str, tmp_path: Path, room: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, tokens, str(tmp_path), str(room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "step-00000001 could not be written" in run.stdout
    assert "step-00000000 is untouched; make room, and the same command continues from there" in run.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000000"]
    (whole,) = checkpoints.every(tmp_path)
    checkpoints.restore(whole, loop(tokens))
    assert json.loads((whole.folder / "state.json").read_text())["step"] == 0
