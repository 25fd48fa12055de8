"""Multiple choice against one item at a time, against Hugging Face's Llama, and what is learnt by heart."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mixtures.options import Options
from trainer import checkpoints, llama
from trainer.cloze import measure, option_nats
from trainer.gpt import GPT, GPTConfig
from trainer.guard import DivergedError

# Query, answer, bytes of the answer; the first of an item is right.
Option = tuple[Sequence[int], Sequence[int], int]


def made(items: Sequence[Sequence[Option]], kind: Any = "answer") -> Options:
    rows = [option for item in items for option in item]
    ids = [[*query, *answer] for query, answer, _ in rows]
    return Options(
        kind,
        np.repeat(np.arange(len(items)), [len(item) for item in items]),
        np.array([number == 0 for item in items for number in range(len(item))]),
        np.array([len(answer) for _, answer, _ in rows]),
        np.array([size for *_, size in rows]),
        np.cumsum([0, *map(len, ids)]),
        np.concatenate(ids).astype(np.uint32),
    )


def model(vocabulary: int = 24, context: int = 16) -> GPT:
    torch.manual_seed(1)
    found = GPT(GPTConfig(vocabulary, layers=2, width=16, heads=2, kv_heads=1, context=context, hidden=16))
    torch.nn.init.normal_(found.embedding.weight)
    torch.nn.init.normal_(found.head.weight, std=0.3)
    return found


def drawn(count: int, longest: int, seed: int = 0) -> list[list[Option]]:
    rng = np.random.default_rng(seed)

    def option() -> Option:
        query, answer = (rng.integers(1, 24, rng.integers(low, longest)).tolist() for low in (0, 1))
        return query, answer, int(rng.integers(1, 30))

    return [[option() for _ in range(rng.integers(2, 5))] for _ in range(count)]


def one_by_one(gpt: GPT, options: Options) -> list[float]:
    """Each id of each answer by itself, after all of the text that is left of it in its window."""
    context, found = gpt.config.context, []
    with torch.no_grad():
        for option, answer in enumerate(options.answer.tolist()):
            text = [0, *options.ids[options.offsets[option] : options.offsets[option + 1]].tolist()]
            nats = 0.0
            for number, place in enumerate(range(len(text) - answer, len(text))):
                # An answer that is longer than the context is cut into pieces of one.
                end = min(len(text) - answer + (number // context + 1) * context, len(text))
                window = text[max(0, end - 1 - context) : place]
                nats -= torch.log_softmax(gpt(torch.tensor([window]))[0, -1].double(), 0)[text[place]].item()
            found.append(nats)
    return found


@pytest.mark.parametrize("longest", [4, 16, 60])
def test_batches_are_one_answer_at_a_time(longest: int) -> None:
    gpt, options = model(), made(drawn(8, longest))
    wanted = one_by_one(gpt, options)
    for rows in (1, 3, 64):
        assert option_nats(gpt, 16, 0, rows, options) == pytest.approx(wanted, rel=1e-5)
    found = measure(gpt, 16, 0, 3, options)
    right, bits, at = 0, 0.0, 0
    for item in range(8):
        own = [
            nats / size for nats, size, of in zip(wanted, options.text_bytes, options.item, strict=True) if of == item
        ]
        right += int(np.argmin(own) == 0)
        bits += wanted[at] / math.log(2)
        at += len(own)
    assert (found.items, found.tokens, found.right) == (8, len(options.ids), right)
    assert found.bits_per_byte == pytest.approx(bits / options.text_bytes[options.gold].sum(), rel=1e-5)
    assert found.chance == pytest.approx(np.mean([1 / (options.item == item).sum() for item in range(8)]))
    # With its EOS, and without the last id, which predicts nothing.
    assert found.cut == sum(length > 16 for length in np.diff(options.offsets))
    assert (found.cut > 0) == (longest > 8)


def test_no_more_goes_through_the_model_than_the_rows_hold() -> None:
    gpt, shapes = model(context=64), list[tuple[int, int]]()

    def predict(ids: Tensor) -> Tensor:
        shapes.append((ids.shape[0], ids.shape[1]))
        logits: Tensor = gpt(ids)
        return logits

    options = made(drawn(30, 50))
    option_nats(predict, 64, 0, 2, options)
    assert all(rows * width <= 2 * 64 for rows, width in shapes)
    assert sum(rows for rows, _ in shapes) == len(options.item)
    # Those of two ids are not padded to those of sixty.
    assert {width for _, width in shapes} > {16, 32}


def test_the_likeliest_by_byte_is_chosen() -> None:
    """Every id costs ln 24, so that what counts is how many bytes it stands for."""

    def uniform(ids: Tensor) -> Tensor:
        return torch.zeros(*ids.shape, 24)

    long = made([[([1], [2, 2], 8), ([1], [2], 3)], [([1], [2], 3), ([1], [2, 2], 8)]])
    found = measure(uniform, 16, 0, 4, long)
    assert (found.right, found.chance) == (1, 0.5)
    assert found.bits_per_byte == pytest.approx(3 * math.log2(24) / 11)
    low, high = found.interval() or (0, 0)
    assert 0 < low < 0.5 < high < 1


def test_equally_likely_answers_share_the_point() -> None:
    def uniform(ids: Tensor) -> Tensor:
        return torch.zeros(*ids.shape, 24)

    same: Option = ([1, 2], [3], 4)
    worse: Option = ([1], [2, 3, 4], 4)
    found = measure(uniform, 16, 0, 4, made([[same, same, worse], [same] * 3, [worse, same, same]]))
    assert found.right == pytest.approx(1 / 2 + 1 / 3 + 0)


def test_what_is_to_fall_goes_by_the_measure() -> None:
    gpt, items = model(), drawn(10, 8)
    answer, error = measure(gpt, 16, 0, 4, made(items)), measure(gpt, 16, 0, 4, made(items, "error"))
    assert answer.loss == answer.bits_per_byte == error.bits_per_byte
    assert error.right is not None
    assert error.loss == (10 - error.right + 0.5) / 11
    alone = measure(gpt, 16, 0, 4, made([item[:1] for item in items]))
    assert (alone.right, alone.chance, alone.interval()) == (None, None, None)
    assert alone.loss == pytest.approx(answer.loss, rel=1e-6)


def test_a_limit_takes_the_first_items() -> None:
    gpt, items = model(), drawn(10, 8)
    tokens = len(made(items[:4]).ids)
    assert measure(gpt, 16, 0, 4, made(items), most=tokens) == measure(gpt, 16, 0, 4, made(items[:4]))


def test_a_loss_that_is_no_number_is_named() -> None:
    def broken(ids: Tensor) -> Tensor:
        return torch.full((*ids.shape, 24), math.nan)

    with pytest.raises(DivergedError, match="an answer's loss is nan nats"):
        measure(broken, 16, 0, 4, made(drawn(2, 8)))


def test_what_is_learnt_by_heart_is_right_and_the_unlearnt_is_chance() -> None:
    """Sixty queries, each with its own answer of three ids and three answers of others."""
    rng = np.random.default_rng(3)
    queries = [[1 + number // 8, 9 + number % 8] for number in range(60)]
    answers = rng.integers(1, 24, (60, 3)).tolist()
    items = [
        [(query, answers[(number + other) % 60], 3) for other in (0, 7, 19, 31)] for number, query in enumerate(queries)
    ]
    options, gpt = made(items, "error"), model()
    before = measure(gpt, 16, 0, 8, options)
    low, high = before.interval() or (0, 0)
    assert before.chance == 0.25
    assert low < 0.25 < high
    text = torch.tensor([[0, *query, *answer] for query, answer in zip(queries, answers, strict=True)])
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=2e-2)
    for _ in range(120):
        loss = torch.nn.functional.cross_entropy(gpt(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    after = measure(gpt, 16, 0, 8, options)
    assert (after.right, after.loss) == (60, 0.5 / 61)
    assert after.bits_per_byte < before.bits_per_byte / 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_log_likelihoods_are_those_of_transformers_llama(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    gpt, options = model(context=32), made(drawn(4, 14))
    tensors = {llama.theirs(name): tensor.contiguous() for name, tensor in checkpoints.weights(gpt).items()}
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    config = transformers.LlamaConfig(**llama.config(gpt.config, 0))
    config.save_pretrained(tmp_path)
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path).eval()
    wanted = []
    with torch.no_grad():
        for option, answer in enumerate(options.answer.tolist()):
            text = torch.tensor([[0, *options.ids[options.offsets[option] : options.offsets[option + 1]].tolist()]])
            labels = text.clone()
            labels[:, :-answer] = -100
            # The mean over the ids that count.
            wanted.append(theirs(text, labels=labels).loss.item() * answer)
    assert option_nats(gpt, 32, 0, 8, options) == pytest.approx(wanted, rel=1e-4)
