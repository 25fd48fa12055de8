"""One step: the same gradient however its rows are shared out, and the model it is said to be."""

import copy
import shutil

import pytest
import torch

from mixtures.token_shards import TokenShards
from trainer.batches import Batches
from trainer.config import Model, Training
from trainer.loop import Loop
from trainer.reproducible import reproducible
from trainer.world import World

SMALL = Training(model=Model(layers=2, width=32, context=16, heads=4, kv_heads=2), steps=12, batch=8)
CPU = World(0, 1, torch.device("cpu"))


def made(tokens: str, **change: object) -> Loop:
    config = SMALL.model_copy(update=change)
    with reproducible(1):
        return Loop(config, 24, Batches(TokenShards.open(tokens), 16, config.batch, seed=3), CPU)


def weights(loop: Loop) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in loop.model.parameters()])


def gradient(loop: Loop) -> torch.Tensor:
    return torch.cat([weight.grad.flatten() for weight in loop.model.parameters() if weight.grad is not None])


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_rows_a_few_at_a_time_are_the_whole_batch(tokens: str, rows: int) -> None:
    whole, parts = made(tokens), made(tokens, micro_batch=rows)
    for _ in range(3):
        ours, theirs = parts.gradient(), whole.gradient()
        assert ours == pytest.approx(theirs, rel=1e-5)
        torch.testing.assert_close(gradient(parts), gradient(whole), rtol=1e-4, atol=1e-6)
        parts.update()
        whole.update()


def test_activations_computed_again_give_the_same_bits(tokens: str) -> None:
    kept, again = made(tokens), made(tokens, recompute=True)
    for _ in range(3):
        assert kept.gradient() == again.gradient()
        kept.update()
        again.update()
    assert torch.equal(weights(kept), weights(again))


def test_a_batch_left_out_changes_no_weight_and_is_behind_us(tokens: str) -> None:
    loop, other = made(tokens), made(tokens)
    before = weights(loop)
    loop.gradient()
    loop.leave_out()
    assert (loop.step, loop.position) == (0, 1)
    assert torch.equal(weights(loop), before)
    other.position = 1
    assert loop.gradient() == other.gradient()


def test_the_gradients_norm_is_clipped(tokens: str) -> None:
    loop = made(tokens, optimizer=SMALL.optimizer.model_copy(update={"clip": 0.01}))
    _, norm = loop.gradient()
    assert norm > 0.01
    assert gradient(loop).norm().item() == pytest.approx(0.01, rel=1e-4)


def test_bfloat16_products_give_nearly_the_same_losses_and_weights_stay_in_32_bits(tokens: str) -> None:
    exact, half = made(tokens, precision="float32"), made(tokens, precision="bfloat16")
    assert (exact.bfloat16, half.bfloat16) == (False, True)
    for _ in range(4):
        ours, theirs = half.gradient()[0], exact.gradient()[0]
        assert ours != theirs
        assert ours == pytest.approx(theirs, rel=0.01)
        half.update()
        exact.update()
    assert weights(half).dtype == torch.float32


@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="torch compiles with a C++ compiler")
# torch imports what it deprecates.
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
def test_a_compiled_model_learns_the_same(tokens: str) -> None:
    eager, compiled = made(tokens, compile=False), made(tokens, compile=True)
    state = copy.deepcopy(eager.model.state_dict())
    assert all(torch.equal(state[name], weight) for name, weight in compiled.model.state_dict().items())
    for _ in range(2):
        assert compiled.gradient() == pytest.approx(eager.gradient(), rel=1e-4)
        compiled.update()
        eager.update()


def test_rows_that_do_not_divide_the_batch_are_refused(tokens: str) -> None:
    with pytest.raises(ValueError, match="micro_batch 3 does not divide the 8 rows"):
        made(tokens, micro_batch=3)
