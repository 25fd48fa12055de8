"""muP: with a `base_width`, what a step does to activations does not depend on the width; and what else it touches."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mixtures.token_shards import TokenShards
from trainer import checkpoints
from trainer.batches import Batches
from trainer.config import Model, Optimizer, Run, Schedule, Training
from trainer.gpt import GPT, is_hidden
from trainer.llama import export
from trainer.loop import Loop, gpt_config
from trainer.optimizer import adamw
from trainer.reproducible import reproducible
from trainer.saved import find, model_of
from trainer.train import train
from trainer.world import World

CPU = World(0, 1, torch.device("cpu"))
NARROW, WIDE = 32, 256


def config(width: int, base: int | None, **change: object) -> Training:
    """With activations of more than one size: the MLP's width goes along, and heads are of 16."""
    model = Model(layers=2, width=width, context=16, heads=width // 16, hidden=2 * width, base_width=base)
    optimizer, schedule = Optimizer(learning_rate=1e-2), Schedule(warmup=0)
    return Training(model=model, optimizer=optimizer, schedule=schedule, steps=8, batch=4).model_copy(update=change)


def made(tokens: str, told: Training, seed: int = 1) -> Loop:
    with reproducible(seed):
        return Loop(told, 24, Batches(TokenShards.open(tokens), 16, told.batch, seed=3), CPU)


def drawn(width: int, base: int | None, tied: bool = False) -> GPT:
    torch.manual_seed(0)
    return GPT(gpt_config(Training(model=Model(width=width, base_width=base, tied=tied)), 24))


def activations(loop: Loop) -> dict[str, Tensor]:
    """What comes out of each module that has weights, on the first batch."""
    found: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: found.update({name: out}))
        for name, module in loop.model.named_modules()
        if not list(module.children())
    ]
    with torch.no_grad():
        loop.model(loop.batches.at(0)[0])
    for hook in hooks:
        hook.remove()
    return found


def moved(tokens: str, width: int, base: int | None) -> dict[str, float]:
    """How far three steps move the mean coordinate of each activation."""
    loop = made(tokens, config(width, base))
    before = activations(loop)
    assert len(list(loop.losses(3))) == 3
    return {name: (after - before[name]).abs().mean().item() for name, after in activations(loop).items()}


def test_steps_move_activations_as_far_at_every_width(tokens: str) -> None:
    """The coordinate check of the muP paper (appendix D.1), over a factor of 8, for which they grow without it."""
    narrow, wide, plain = moved(tokens, NARROW, NARROW), moved(tokens, WIDE, NARROW), moved(tokens, WIDE, None)
    assert {name: wide[name] / size for name, size in narrow.items() if not 0.6 < wide[name] / size < 1.6} == {}
    grown = {name.rsplit(".")[-1] for name, size in narrow.items() if plain[name] > 4 * size}
    assert grown >= {"query", "key", "value", "gate", "up", "out", "head"}


def test_the_base_width_itself_changes_nothing(tokens: str) -> None:
    own, unsaid = made(tokens, config(NARROW, NARROW)), made(tokens, config(NARROW, None))
    assert list(own.losses(3)) == list(unsaid.losses(3))
    assert all(map(torch.equal, own.model.parameters(), unsaid.model.parameters()))


@pytest.mark.parametrize("ratio", [4, 0.5])
def test_matrices_inside_blocks_are_drawn_smaller_and_nothing_else_is(ratio: float) -> None:
    base = int(128 / ratio)
    plain, scaled = drawn(128, None).state_dict(), drawn(128, base).state_dict()
    for name, weight in plain.items():
        factor = ratio**-0.5 if is_hidden(name) else 1
        torch.testing.assert_close(scaled[name], weight * factor)
    assert {name.split(".", 2)[-1] for name in plain if is_hidden(name)} == {
        *(f"attention.{name}.weight" for name in ("query", "key", "value", "out")),
        *(f"mlp.{name}.weight" for name in ("gate", "up", "out")),
    }


def test_matrices_inside_blocks_learn_slower_and_forget_as_fast() -> None:
    model = drawn(128, 32)
    names = {weight: name for name, weight in model.named_parameters()}
    groups = adamw(model, Optimizer(learning_rate=0.01, weight_decay=0.1)).param_groups
    assert sum(len(group["params"]) for group in groups) == len(names)
    for group in groups:
        (hidden,) = {is_hidden(names[weight]) for weight in group["params"]}
        assert group["scale"] == (0.25 if hidden else 1)
        assert group["lr"] == 0.01 * group["scale"]
        decays = {weight.ndim for weight in group["params"]} == {2}
        assert group["lr"] * group["weight_decay"] == pytest.approx(0.001 if decays else 0)


def test_an_update_goes_as_far_as_its_groups_rate(tokens: str) -> None:
    """Adam's first step is the rate itself, whatever the gradient's size."""
    told = config(128, 32)
    loop = made(tokens, told.model_copy(update={"optimizer": Optimizer(learning_rate=1e-3, weight_decay=0)}))
    before = {name: weight.detach().clone() for name, weight in loop.model.named_parameters()}
    list(loop.losses(1))
    for name, weight in loop.model.named_parameters():
        furthest = (weight - before[name]).abs().max().item()
        assert furthest == pytest.approx(0.00025 if is_hidden(name) else 0.001, rel=0.02), name


def test_logits_are_divided_by_the_ratio_once() -> None:
    plain, scaled = drawn(128, None), drawn(128, 32)
    scaled.load_state_dict(plain.state_dict())
    ids = torch.arange(16)[None]
    with torch.no_grad():
        torch.testing.assert_close(scaled(ids), plain(ids) / 4)


@pytest.mark.parametrize(
    ("width", "base", "heads"), [(128, 64, 4), (512, 64, 16), (512, 256, 8), (64, 512, 1), (64, 16, 4)]
)
def test_heads_unsaid_are_as_wide_as_the_base_widths(width: int, base: int, heads: int) -> None:
    assert Model(width=width, base_width=base).query_heads == heads


def test_neither_parameters_nor_operations_are_others() -> None:
    plain, scaled = drawn(128, None), drawn(128, 32)
    assert plain.parameters_count() == scaled.parameters_count()
    assert plain.flops_per_token() == scaled.flops_per_token()


def test_a_resumed_run_gives_the_same_bits(tokens: str, tmp_path: Path) -> None:
    told = config(32, 16)
    whole, resumed = made(tokens, told), made(tokens, told, seed=2)
    list(whole.losses(3))
    checkpoints.restore(checkpoints.save(tmp_path, whole, {}, regular=True), resumed)
    assert list(whole.losses(6)) == list(resumed.losses(6))
    assert all(map(torch.equal, whole.model.parameters(), resumed.model.parameters()))


@pytest.mark.parametrize("tied", [True, False])
def test_the_export_has_the_same_logits(tokens: str, tmp_path: Path, tied: bool) -> None:
    transformers = pytest.importorskip("transformers")
    model = Model(layers=1, width=48, context=16, heads=3, tied=tied, base_width=32)
    train(tokens, str(tmp_path / "run"), Run(model=model, steps=4, batch=4), 0, CPU)
    checkpoint, tokenizer = find(str(tmp_path / "run"))
    export(checkpoint, tokenizer, str(tmp_path / "out"))
    with warnings.catch_warnings():
        # transformers uses what torch deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "out").eval()
    ids = torch.randint(24, (3, 16), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model_of(checkpoint)(ids), theirs(ids).logits, rtol=1e-4, atol=1e-6)


def test_a_run_that_is_older_than_the_key_goes_on(tokens: str, tmp_path: Path) -> None:
    """Its run.json and its checkpoints do not have `base_width`."""
    told = Run(model=Model(layers=1, width=16, context=16), steps=4, batch=4)
    whole = train(tokens, str(tmp_path), told, 0, CPU)
    for path in (tmp_path / "run.json", *tmp_path.glob("checkpoints/*/state.json")):
        told_then = json.loads(path.read_text())
        del told_then["config"]["model"]["base_width"]
        path.write_text(json.dumps(told_then))
    assert train(tokens, str(tmp_path), told, 0, CPU) == whole
    more = train(tokens, str(tmp_path / "more"), told.model_copy(update={"steps": 6}), 0, CPU, start=_last(tmp_path))
    assert more["steps"] == 6


def _last(folder: Path) -> str:
    return str(checkpoints.every(folder / "checkpoints")[-1].folder)
