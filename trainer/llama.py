"""A checkpoint as a folder that Hugging Face's LlamaForCausalLM loads, with the same logits.

What goes in: a checkpoint. What comes out: `config.json`, `model.safetensors`, the tokenizer and its settings. What
stays true: the model is a Llama already, so only names change, and no weight does.
"""

from pathlib import Path
from typing import Any

from safetensors.torch import save

from corpus import storage
from trainer import checkpoints
from trainer.checkpoints import Checkpoint
from trainer.gpt import NORM_EPS, ROPE_BASE, GPTConfig
from trainer.saved import model_of

# Ours, and theirs within a layer.
_LAYER = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.out": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.out": "mlp.down_proj",
}
_OUTSIDE = {"embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}


def export(checkpoint: Checkpoint, tokenizer: Path, out: str) -> None:
    """Write the folder, `config.json` last, since nothing loads it without."""
    model = model_of(checkpoint)
    state = checkpoint.state
    weights = checkpoints.weights(model)
    # Not into the output layer, which may be the embedding too.
    weights["norm.weight"] = weights["norm.weight"] / model.config.width_ratio
    tensors = {theirs(name): tensor for name, tensor in weights.items()}
    storage.write_bytes(storage.join(out, "model.safetensors"), save(tensors, {"format": "pt"}))
    storage.write_bytes(storage.join(out, tokenizer.name), tokenizer.read_bytes())
    # transformers reads a SentencePiece model without its normaliser, and would give other ids without a word.
    if tokenizer.suffix == ".json":
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": state["eos"]}
        storage.write_json(
            storage.join(out, "tokenizer_config.json"), {**settings, "model_max_length": model.config.context}
        )
    storage.write_json(storage.join(out, "config.json"), config(model.config, state["eos_id"]))


def theirs(name: str) -> str:
    """Hugging Face's name of one of our weights."""
    module = name.removesuffix(".weight")
    if not module.startswith("blocks."):
        return f"{_OUTSIDE[module]}.weight"
    _, layer, inside = module.split(".", 2)
    return f"model.layers.{layer}.{_LAYER[inside]}.weight"


def config(model: GPTConfig, eos_id: int) -> dict[str, Any]:
    """What LlamaConfig reads: `rope_theta` up to transformers 4, `rope_parameters` from 5 on."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": model.vocabulary,
        "hidden_size": model.width,
        "intermediate_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.width // model.heads,
        "max_position_embeddings": model.context,
        "hidden_act": "silu",
        "rms_norm_eps": NORM_EPS,
        "rope_theta": ROPE_BASE,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_BASE},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": model.tied,
        # Training has every document follow an EOS, so it begins texts too.
        "bos_token_id": eos_id,
        "eos_token_id": eos_id,
        "dtype": "float32",
    }
