"""Text that a trained model goes on with, token by token."""

from collections.abc import Iterator

import torch

from trainer.gpt import GPT


def continuation(
    model: GPT, prompt: list[int], eos_id: int, *, most: int, temperature: float, top_k: int, seed: int
) -> Iterator[int]:
    """Up to `most` ids after `prompt`, which follows an EOS as every document does; an EOS ends them.

    A temperature of 0 takes the likeliest token, others draw among the `top_k` likeliest. The model sees the last
    tokens that its context holds.
    """
    ids = [eos_id, *prompt]
    device = model.embedding.weight.device
    generator = torch.Generator().manual_seed(seed)
    for _ in range(most):
        with torch.inference_mode():
            logits = model(torch.tensor([ids[-model.config.context :]], device=device))[0, -1].float().cpu()
        if temperature == 0:
            chosen = int(logits.argmax())
        else:
            best = logits.topk(min(top_k, len(logits)))
            shares = torch.softmax((best.values - best.values[0]) / temperature, dim=0)
            chosen = int(best.indices[torch.multinomial(shares, 1, generator=generator)])
        if chosen == eos_id:
            return
        yield chosen
        ids.append(chosen)
