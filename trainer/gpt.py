"""A GPT of the Llama family in one file: pre-norm RMSNorm, RoPE, SwiGLU, grouped-query attention, no biases.

What goes in: token ids, int64[rows, length]. What comes out: logits over the vocabulary, one position per id. What
stays true: a position sees itself and what is before it only, and the first loss is close to ln(vocabulary). Trained
weights are those of Hugging Face's LlamaForCausalLM under other names (`trainer/llama.py`).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

ROPE_BASE = 10_000.0  # Su et al. 2021; Llama 1 and 2
INIT_STD = 0.02  # GPT-2
NORM_EPS = 1e-6  # Llama 1


@dataclass(frozen=True, slots=True)
class GPTConfig:
    """Sizes of the model. `hidden` is the width inside SwiGLU; `tied` shares the embedding with the output layer;
    `base_width` is the width whose learning rate is to be right here, None for this one (see `GPT`)."""

    vocabulary: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    context: int
    hidden: int
    tied: bool = True
    base_width: int | None = None

    @property
    def width_ratio(self) -> float:
        """Times as wide as the model that the learning rate was found for."""
        return self.width / (self.base_width or self.width)

    def __post_init__(self) -> None:
        if min(self.heads, self.kv_heads) < 1:
            raise ValueError(f"{self.heads} heads and {self.kv_heads} kv_heads: there must be at least 1 of each")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} over {self.heads} heads: RoPE needs an even whole number per head")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")


def rope_tables(length: int, head_width: int) -> tuple[Tensor, Tensor]:
    """cos and sin of every angle, float64[length, head_width / 2]: position times base^(-2 i / head_width)."""
    inverse = ROPE_BASE ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), inverse)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE: coordinates i and i + head_width / 2 of x[..., length, head_width] turn as one complex number."""
    real, imaginary = x.chunk(2, dim=-1)
    return torch.cat([real * cos - imaginary * sin, real * sin + imaginary * cos], dim=-1)


class Attention(nn.Module):
    """Causal attention in which `heads / kv_heads` query heads read one key and value head (Ainslie et al. 2023)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.heads, config.kv_heads
        self.head_width = config.width // config.heads
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.key = nn.Linear(config.width, config.kv_heads * self.head_width, bias=False)
        self.value = nn.Linear(config.width, config.kv_heads * self.head_width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, width = x.shape
        query = self.query(x).view(rows, length, self.heads, self.head_width).transpose(1, 2)
        key = self.key(x).view(rows, length, self.kv_heads, self.head_width).transpose(1, 2)
        value = self.value(x).view(rows, length, self.kv_heads, self.head_width).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(
            rotate(query, cos, sin),
            rotate(key, cos, sin),
            value,
            is_causal=True,
            enable_gqa=self.kv_heads < self.heads,
        )
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(rows, length, width))
        return out


class SwiGLU(nn.Module):
    """silu(x gate) * (x up), then down (Shazeer 2020)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.out = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(F.silu(self.gate(x)) * self.up(x))
        return out


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=NORM_EPS)
        self.attention = Attention(config)
        self.mlp_norm = nn.RMSNorm(config.width, eps=NORM_EPS)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin)
        out: Tensor = x + self.mlp(self.mlp_norm(x))
        return out


def is_hidden(name: str) -> bool:
    """Whether this weight of a `GPT` is a matrix from width to width, or to and from SwiGLU's."""
    return name.startswith("blocks.") and not name.endswith("norm.weight")


class GPT(nn.Module):
    """Weights are drawn from torch's global generator: seed it first.

    With `recompute` a block's activations are not kept but computed again when gradients are: about a third more work
    for a fraction of the memory, and the same numbers.

    r times as wide as `base_width` (muP, Yang et al. 2022, arXiv:2203.03466, table 8): the sums over the width inside
    blocks have r times as many terms, which their updates agree on and their first values do not, so these are drawn
    smaller by sqrt(r) and trained with 1/r of the learning rate (`trainer/optimizer.py`); logits are 1/r of the sums.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: GPTConfig, recompute: bool = False) -> None:
        super().__init__()
        self.config, self.recompute = config, recompute
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.norm = nn.RMSNorm(config.width, eps=NORM_EPS)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                # Each block adds to the residual twice; the sum keeps its size with depth (GPT-2).
                std = INIT_STD / math.sqrt(2 * config.layers) if name.endswith("out.weight") else INIT_STD
                if is_hidden(name):
                    std /= math.sqrt(config.width_ratio)
                nn.init.normal_(weight, std=std)
        if config.tied:
            self.head.weight = self.embedding.weight
        cos, sin = rope_tables(config.context, config.width // config.heads)
        self.register_buffer("cos", cos.to(self.embedding.weight.dtype), persistent=False)
        self.register_buffer("sin", sin.to(self.embedding.weight.dtype), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits[rows, length, vocabulary] for ids[rows, length], length at most `config.context`."""
        length = ids.shape[1]
        assert length <= self.config.context, (length, self.config.context)
        x = self.embedding(ids)
        cos, sin = self.cos[:length], self.sin[:length]
        for block in self.blocks:
            if self.recompute and self.training:
                x = checkpoint(block, x, cos, sin, use_reentrant=False, preserve_rng_state=False)
            else:
                x = block(x, cos, sin)
        x = self.norm(x)
        if self.config.width_ratio != 1:
            # Fewer numbers than the logits, and the same product.
            x = x / self.config.width_ratio
        logits: Tensor = self.head(x)
        return logits

    def parameters_count(self) -> int:
        """Weights trained, a tied embedding counted once."""
        return sum(weight.numel() for weight in self.parameters())

    def flops_per_token(self) -> int:
        """Floating-point operations of a training step a token: 6 for each weight that multiplies, and attention's
        scores and sums over a whole context, 12 x layers x width x context (PaLM, arXiv:2204.02311, appendix B)."""
        weights = sum(weight.numel() for weight in self.parameters() if weight.ndim == 2)
        if not self.config.tied:
            weights -= self.embedding.weight.numel()  # looked up, not multiplied
        return 6 * weights + 12 * self.config.layers * self.config.width * self.config.context
