"""A trained model found again: in a run's folder, or in a checkpoint's."""

from pathlib import Path

import torch

from trainer import checkpoints
from trainer.checkpoints import Checkpoint, CheckpointError
from trainer.config import Run
from trainer.gpt import GPT
from trainer.loop import gpt_config
from trainer.run import CHECKPOINTS


def find(path: str) -> tuple[Checkpoint, Path]:
    """The newest checkpoint of the run at `path`, or the one at `path`; and its tokenizer's file.

    Raises `CheckpointError` where there is none.
    """
    folder = Path(path)
    if (folder / CHECKPOINTS).is_dir():
        found = checkpoints.every(folder / CHECKPOINTS)
        if not found:
            raise CheckpointError(f"{folder} has no checkpoint yet; it leaves one every checkpoints.every steps")
        checkpoint = found[-1]
    else:
        checkpoint = checkpoints.at(folder)
    tokenizer = checkpoint.folder.resolve().parents[1] / checkpoint.state["tokenizer_file"]
    if not tokenizer.is_file():
        raise CheckpointError(f"{tokenizer} is missing: a checkpoint is used where its run left it")
    return checkpoint, tokenizer


def model_of(checkpoint: Checkpoint) -> GPT:
    """The checkpoint's model, on a GPU where there is one."""
    config = Run.model_validate(checkpoint.state["config"])
    model = GPT(gpt_config(config, checkpoint.state["vocabulary_size"]))
    checkpoints.load_weights(checkpoint, model)
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
