"""`crawlmill train`, `sample` and `export`: a GPT trained on token shards, asked for text, and handed on.

torch is imported when a command runs and not before, since no other command needs it.
"""

import contextlib
import importlib.util
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from corpus import storage
from corpus.lock import alone_in
from corpus.strict import RecipeError
from kernels.texts import Texts
from mixtures import tokenizer
from pipeline import configuration
from pipeline import console as terminal
from pipeline.token_commands import opened, verified
from trainer.config import Run

if TYPE_CHECKING:
    from trainer.run import Progress

# Where there is no terminal, a line now and then says how far a run is.
LINE_SECONDS = 10
# What a shell reports of a process that SIGTERM ended.
TERMINATED = 128 + 15
# torch's generators take so many.
SEED = click.IntRange(0, 2**63 - 1)


@click.command()
@click.option("--data", required=True, metavar="DIR", help="Token shards with their manifest: RUN/tokens.")
@click.option("--out", required=True, metavar="DIR", help="A local folder for what comes of it; a run goes on there.")
@click.option("--config", "file", type=click.Path(dir_okay=False), help="YAML with some of the keys in docs/train.md.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key: model.layers=8. Repeatable."
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the weights and the order.")
@click.option("--from", "start", metavar="DIR", help="Begin with another run's checkpoint: RUN/checkpoints/step-N.")
@click.option("--verify/--no-verify", default=True, show_default=True, help="Check the shards' checksums first.")
def train(
    data: str, out: str, file: str | None, overrides: tuple[str, ...], seed: int, start: str | None, verify: bool
) -> None:
    """Train a GPT on token shards. The same command goes on where an earlier one was killed or stopped.

    SIGTERM leaves a checkpoint and exits with 143. On several GPUs: torchrun --nproc-per-node 8 -m pipeline.cli train
    with the same options.
    """
    need_torch()
    config = configuration.read(file, Run, overrides) if file else configuration.checked({}, Run, overrides, "train")
    for option, path, why in (("data", data, "mapped into memory"), ("out", out, "renamed into place")):
        if not storage.is_local(path):
            raise RecipeError(f"--{option} {path}: its files are {why}, which takes a local folder")
    if os.path.exists(out) and not os.path.isdir(out):
        raise RecipeError(f"--out {out} is a file; give a folder")
    opened(data)
    from trainer.run import Terminated
    from trainer.train import train as run_training
    from trainer.world import joined

    with joined() as world:
        screen = terminal.screen() if world.is_first else Console(quiet=True)
        if verify and world.is_first:
            verified(data, screen)
        with alone_in(out) if world.is_first else contextlib.nullcontext(), _Steps(screen, config.steps) as steps:
            try:
                result = run_training(data, out, config, seed, world, start=start, show=steps.show, say=steps.say)
            except Terminated as asked:
                steps.say(str(asked))
                sys.exit(TERMINATED)
        _show_result(screen, result, out)


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--prompt", default="", help="What the text begins with.  [default: nothing, as a document begins]")
@click.option("--tokens", "most", type=click.IntRange(min=1), default=200, show_default=True, help="The most to add.")
@click.option(
    "--temperature", type=click.FloatRange(min=0), default=0.8, show_default=True, help="0 takes the likeliest token."
)
@click.option("--top-k", type=click.IntRange(min=1), default=50, show_default=True, help="Draw among so many tokens.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the draw.")
def sample(run_folder: str, prompt: str, most: int, temperature: float, top_k: int, seed: int) -> None:
    """Let the newest model of RUN (or the checkpoint RUN) go on with a text."""
    need_torch()
    if not math.isfinite(temperature):
        raise click.UsageError(f"--temperature is {temperature}; give a number from 0 on")
    if any("\ud800" <= letter <= "\udfff" for letter in prompt):
        raise click.UsageError("--prompt is no UTF-8 text")
    from trainer.sample import continuation
    from trainer.saved import find, model_of

    checkpoint, file = find(run_folder)
    given = tokenizer.load(str(file), checkpoint.state["eos"])
    ids, _ = given.encode_batch(Texts.of([prompt]))
    model = model_of(checkpoint)
    found = continuation(
        model, ids.tolist(), given.vocabulary.eos_id, most=most, temperature=temperature, top_k=top_k, seed=seed
    )
    # Decoded as a whole, since a letter may be several tokens.
    click.echo(given.decode([*ids.tolist(), *found]))


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--out", required=True, metavar="DIR", help="Where config.json, model.safetensors and the tokenizer go.")
def export(run_folder: str, out: str) -> None:
    """Write the newest model of RUN (or the checkpoint RUN) as Hugging Face's LlamaForCausalLM loads it."""
    need_torch()
    from trainer.llama import export as export_llama
    from trainer.saved import find

    checkpoint, file = find(run_folder)
    if (Path(out) / "state.json").exists():
        raise click.UsageError(f"--out {out} is a checkpoint, whose weights have other names; give another folder")
    export_llama(checkpoint, file, out)
    click.echo(f"{out}: step {checkpoint.step:,} of {run_folder}, for AutoModelForCausalLM.from_pretrained")
    if file.suffix == ".model":
        click.echo("Encode texts with the sentencepiece package: transformers' own Llama tokenizer gives other ids.")


class _Steps:
    """Shows the steps of a run: a bar on a terminal, lines elsewhere."""

    def __init__(self, screen: Console, steps: int) -> None:
        self.screen, self.steps = screen, steps
        self.bars = terminal.bar(screen, "steps")
        self.task = self.bars.add_task("", total=steps)
        self.said = time.monotonic()

    def __enter__(self) -> "_Steps":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def show(self, progress: "Progress") -> None:
        speed = f"{progress.tokens_per_second:,.0f} tokens/s  MFU {progress.utilisation:.0%}"
        words = f"loss {progress.loss:.3f}  {speed}"
        self.bars.update(self.task, completed=progress.step, description=words)
        late = time.monotonic() - self.said > LINE_SECONDS or progress.step == progress.steps
        if late and not self.screen.is_terminal:
            self.said = time.monotonic()
            self.screen.print(f"step {progress.step:,}/{progress.steps:,}  {words}", highlight=False)

    def say(self, words: str) -> None:
        self.screen.print(words, highlight=False, markup=False, soft_wrap=True)


def _show_result(screen: Console, result: dict[str, Any], out: str) -> None:
    title = f"{result['parameters']:,} parameters, {result['steps']:,} steps, {result['tokens']:,} tokens"
    if result["validation"]:
        screen.print(terminal.losses(title, result["validation"]))
    speed, spikes = result["tokens_per_second"], len(result["spikes"])
    words = [title] if not result["validation"] else []
    words.append(f"training loss {result['final_loss']:.3f} nats a token")
    if speed:
        words.append(f"{speed:,.0f} tokens/s, MFU {result['utilisation']:.0%} of {result['peak_flops_by']}")
    words += [f"{spikes} spikes"] if spikes else []
    screen.print("; ".join(words), highlight=False, markup=False, soft_wrap=True)
    screen.print(f"Losses: {out}/loss.png  Model: {out}/checkpoints", highlight=False, markup=False, soft_wrap=True)


def need_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        raise RecipeError('this needs torch; install it with: pip install "crawlmill[train]"')
