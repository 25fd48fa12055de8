"""A training run that can be stopped at any moment, and leaves weights, losses and what else is known of it.

What goes in: a folder of token shards, a configuration and a seed. What comes out, in the run's folder: `run.json`
(what it was told), the tokenizer, `checkpoints/`, `train.jsonl`, `validation.jsonl`, `loss.png` and, at the end,
`result.json`. What stays true: a run that was killed, or asked to stop, and started again gives the same weights, bit
for bit, as one that was left alone; with another number of processes it goes on at the same place in the same order.
"""

import contextlib
import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from corpus import storage
from corpus.strict import RecipeError
from mixtures.token_shards import MANIFEST, TokenShards
from trainer import checkpoints, plot
from trainer.batches import Batches
from trainer.checkpoints import Checkpoint
from trainer.config import FREE, Run
from trainer.log import Log
from trainer.loop import Loop
from trainer.reproducible import reproducible
from trainer.run import CHECKPOINTS, Progress, TrainingRun
from trainer.world import World

TOLD, RESULT = "run.json", "result.json"


def train(
    data: str,
    out: str,
    config: Run,
    seed: int,
    world: World,
    *,
    start: str | None = None,
    show: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on the shards in `data`, or go on where the run in `out` is; returns what result.json holds.

    `start` is a checkpoint of another run to begin with: its weights, its moments and its step, and its place in the
    data if that is the same. Raises `RecipeError` for a run of another configuration in `out` and for data that do not
    fit; `DivergedError` where the guard does not help; `CheckpointError`; and `Terminated`.
    """
    folder = Path(out)
    shards = TokenShards.open(data)
    told = _told(shards, config, seed)
    with reproducible(seed), _asked_to_stop() as asked:
        loop = _loop(shards, config, seed, world)
        begun = _begin(folder, shards, told, start, world)
        run = TrainingRun(folder, shards, loop, told, config, show, say)
        if begun is not None:
            run.go_on_from(begun)
        if loop.step == config.steps and (folder / RESULT).exists():
            say("nothing to do: all steps were done before")
        else:
            with Log(folder, loop.step, config.tensorboard) if world.is_first else contextlib.nullcontext() as log:
                run.steps(log, asked)
            if world.is_first:
                plot.draw(folder)
                storage.write_json(str(folder / RESULT), run.result())
        # Nobody reads before it is written.
        world.wait()
        result: dict[str, Any] = storage.read_json(str(folder / RESULT))
        return result


def _loop(shards: TokenShards, config: Run, seed: int, world: World) -> Loop:
    try:
        batches = Batches(shards, config.model.context, config.batch, seed, rank=world.rank, ranks=world.size)
        return Loop(config, shards.manifest.vocabulary_size, batches, world)
    except ValueError as error:
        raise RecipeError(str(error)) from error


def _told(shards: TokenShards, config: Run, seed: int) -> dict[str, Any]:
    """What run.json says: a run is resumed only by one that is told the same, but for what `FREE` lists."""
    manifest = shards.manifest
    return {
        "config": config.model_dump(),
        "seed": seed,
        "data": hashlib.sha256(storage.read_bytes(storage.join(shards.folder, MANIFEST))).hexdigest(),
        "vocabulary_size": manifest.vocabulary_size,
        "eos_id": manifest.eos_id,
        "tokenizer_file": manifest.tokenizer_file,
        "tokenizer_sha256": manifest.tokenizer_sha256,
        "eos": manifest.eos,
    }


def _begin(
    folder: Path, shards: TokenShards, told: dict[str, Any], start: str | None, world: World
) -> Checkpoint | None:
    """The checkpoint to go on from, once the folder is known to be this run's."""
    path = folder / TOLD
    if path.exists():
        _check_same(path, told)
    own = checkpoints.every(folder / CHECKPOINTS)
    begun = own[-1] if own else checkpoints.at(start) if start else None
    if begun is not None and begun.state["tokenizer_sha256"] != told["tokenizer_sha256"]:
        raise RecipeError(
            f"{begun.folder} was trained with the tokenizer of sha256 {begun.state['tokenizer_sha256'][:12]}, and "
            f"these shards are {told['tokenizer_sha256'][:12]}'s: the same ids mean other tokens"
        )
    # Nobody writes before all have looked.
    world.wait()
    if world.is_first:
        storage.remove_temporary(str(folder / CHECKPOINTS))
        storage.write_json(str(path), told)
        name = shards.manifest.tokenizer_file
        storage.write_bytes(str(folder / name), storage.read_bytes(storage.join(shards.folder, name)))
    return begun


def _check_same(path: Path, told: dict[str, Any]) -> None:
    before = storage.read_json(str(path))
    differ = [
        f"{key}: {before[key]!r} there, {told[key]!r} here"
        for key in ("seed", "data", "vocabulary_size", "tokenizer_sha256")
        if before[key] != told[key]
    ]
    differ += [
        f"{key}: {before['config'].get(key)!r} there, {value!r} here"
        for key, value in told["config"].items()
        if key not in FREE and before["config"].get(key) != value
    ]
    if differ:
        listed = "\n  ".join(differ)
        raise RecipeError(
            f"{path.parent} holds a run that was told otherwise:\n  {listed}\nGive another folder, or the same values"
        )


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set when SIGTERM comes: schedulers send it before they take a machine away."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
