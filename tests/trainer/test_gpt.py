"""What makes the model a causal Llama: each property against arithmetic that shares nothing with it."""

import cmath
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from trainer.gpt import GPT, GPTConfig, rope_tables, rotate

TINY = GPTConfig(vocabulary=512, layers=2, width=64, heads=4, kv_heads=2, context=32, hidden=96)


def built(config: GPTConfig = TINY, seed: int = 0) -> GPT:
    torch.manual_seed(seed)
    return GPT(config)


def ids(rows: int, length: int, vocabulary: int = 512) -> torch.Tensor:
    return torch.randint(vocabulary, (rows, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("tied", [True, False])
def test_first_loss_is_that_of_knowing_nothing(tied: bool) -> None:
    config = GPTConfig(8192, 4, 128, 4, 4, 64, 352, tied)
    tokens = ids(8, 65, 8192)
    with torch.no_grad():
        loss = F.cross_entropy(built(config)(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(8192), rel=0.02)


def test_one_batch_is_learned_by_heart() -> None:
    model, tokens = built(), ids(4, 33)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95))
    for _ in range(80):
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert loss.item() < 0.02


def test_a_token_changes_nothing_before_it_and_something_from_it_on() -> None:
    model, tokens = built(), ids(1, 32)
    changed = tokens.clone()
    changed[0, 20] = (changed[0, 20] + 1) % 512
    with torch.no_grad():
        before, after = model(tokens)[0], model(changed)[0]
    assert torch.equal(before[:20], after[:20])
    assert all(not torch.equal(before[t], after[t]) for t in range(20, 32))


def test_rope_is_multiplication_by_a_complex_number_of_length_one() -> None:
    length, width = 9, 16
    x = torch.randn(2, 3, length, width, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    cos, sin = rope_tables(length, width)
    turned = rotate(x, cos, sin)
    for position in range(length):
        for i in range(width // 2):
            turn = cmath.exp(1j * position / 10_000 ** (2 * i / width))
            wanted = torch.complex(x[..., position, i], x[..., position, i + width // 2]) * turn
            torch.testing.assert_close(turned[..., position, i], wanted.real)
            torch.testing.assert_close(turned[..., position, i + width // 2], wanted.imag)


def plain(weights: dict[str, np.ndarray], tokens: list[int], heads: int, kv_heads: int, layers: int) -> np.ndarray:
    """The same model, one position and one head at a time, with complex numbers for RoPE."""

    def normed(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).mean() + 1e-6) * gain

    def turned(x: np.ndarray, position: int) -> np.ndarray:
        half = len(x) // 2
        return (x[:half] + 1j * x[half:]) * np.exp(1j * position * 10_000.0 ** -(np.arange(half) / half))

    xs = [weights["embedding.weight"][token] for token in tokens]
    for layer in range(layers):
        own = {key.removeprefix(f"blocks.{layer}."): value for key, value in weights.items()}
        inputs = [normed(x, own["attention_norm.weight"]) for x in xs]
        queries, keys, values = (
            [(own[f"attention.{name}.weight"] @ x).reshape(count, -1) for x in inputs]
            for name, count in (("query", heads), ("key", kv_heads), ("value", kv_heads))
        )
        for t in range(len(xs)):
            mixed = []
            for head in range(heads):
                shared = head * kv_heads // heads
                query = turned(queries[t][head], t)
                scores = [(query * turned(keys[s][shared], s).conj()).real.sum() for s in range(t + 1)]
                chances = np.exp(np.array(scores) / np.sqrt(2 * len(query)))
                mixed.append(sum(c * values[s][shared] for s, c in enumerate(chances / chances.sum())))
            xs[t] = xs[t] + own["attention.out.weight"] @ np.concatenate(mixed)
            y = normed(xs[t], own["mlp_norm.weight"])
            gate = own["mlp.gate.weight"] @ y
            xs[t] = xs[t] + own["mlp.out.weight"] @ (gate / (1 + np.exp(-gate)) * (own["mlp.up.weight"] @ y))
    return np.stack([weights["head.weight"] @ normed(x, weights["norm.weight"]) for x in xs])


def test_logits_are_those_of_the_model_written_out_in_numpy() -> None:
    model = GPT(GPTConfig(vocabulary=13, layers=2, width=24, heads=6, kv_heads=2, context=9, hidden=20, tied=False))
    generator = np.random.default_rng(4)
    weights = {name: generator.normal(0, 0.5, weight.shape) for name, weight in model.state_dict().items()}
    model.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    tokens = [3, 1, 12, 0, 7, 7, 2, 5, 9]
    with torch.no_grad():
        logits = model.double()(torch.tensor([tokens]))[0].numpy()
    np.testing.assert_allclose(logits, plain(weights, tokens, heads=6, kv_heads=2, layers=2), rtol=1e-5, atol=1e-5)


def test_attention_scores_depend_on_the_distance_alone() -> None:
    query, key = torch.randn(2, 1, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    cos, sin = rope_tables(40, 16)
    scores = rotate(query.expand(40, 16), cos, sin) @ rotate(key.expand(40, 16), cos, sin).T
    for distance in (0, 1, 7):
        line = torch.diagonal(scores, -distance)
        torch.testing.assert_close(line, line[0].expand_as(line))
    assert abs(scores[7, 0] - scores[1, 0]) > 1e-3


def test_gradients_agree_with_finite_differences() -> None:
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary=7, layers=1, width=8, heads=2, kv_heads=1, context=4, hidden=4)).double()
    names = [name for name, _ in model.named_parameters()]
    # Drawn large, so that every path through the model carries a gradient far above rounding.
    weights = tuple(torch.randn_like(weight).mul_(0.5).requires_grad_() for weight in model.parameters())
    tokens = ids(2, 5, 7)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        logits = torch.func.functional_call(model, dict(zip(names, values, strict=True)), (tokens[:, :-1],))
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    assert torch.autograd.gradcheck(loss, weights)


def test_grouped_query_attention_is_multi_head_with_keys_and_values_repeated() -> None:
    grouped, full = built(), built(GPTConfig(512, 2, 64, heads=4, kv_heads=4, context=32, hidden=96), seed=5)
    state = grouped.state_dict()
    for name, weight in state.items():
        if ".key." in name or ".value." in name:
            state[name] = weight.view(2, 16, 64).repeat_interleave(2, dim=0).reshape(64, 64)
    full.load_state_dict(state)
    tokens = ids(2, 32)
    with torch.no_grad():
        torch.testing.assert_close(grouped(tokens), full(tokens), rtol=1e-5, atol=1e-6)


def test_tying_saves_one_matrix_and_computes_the_same() -> None:
    tied, untied = built(), built(GPTConfig(512, 2, 64, 4, 2, 32, 96, tied=False), seed=5)
    assert untied.parameters_count() - tied.parameters_count() == 512 * 64
    untied.load_state_dict(tied.state_dict())
    tokens = ids(2, 32)
    with torch.no_grad():
        assert torch.equal(tied(tokens), untied(tokens))


def test_parameters_of_a_size_counted_by_hand() -> None:
    attention = 64 * 64 + 2 * 64 * 32 + 64 * 64
    assert built().parameters_count() == 512 * 64 + 2 * (attention + 3 * 64 * 96 + 2 * 64) + 64


@pytest.mark.parametrize(
    ("heads", "kv_heads", "words"),
    [(3, 3, "width 64 over 3 heads"), (4, 3, "cannot share 3"), (0, 1, "at least 1"), (4, 0, "at least 1")],
)
def test_sizes_that_do_not_divide(heads: int, kv_heads: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GPTConfig(512, 2, 64, heads, kv_heads, 32, 96)
