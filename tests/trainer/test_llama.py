"""The export against Hugging Face's own Llama, and text out of either."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mixtures.token_shards import TokenShards
from tests.conftest import prose
from tests.trainer import planted
from trainer import checkpoints
from trainer.checkpoints import CheckpointError
from trainer.config import Model, Optimizer, Run
from trainer.llama import export
from trainer.sample import continuation
from trainer.saved import find, model_of
from trainer.train import train
from trainer.world import World

EOS = "<|endoftext|>"
CPU = World(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few sentences, that knows them by heart."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    folder = tmp_path_factory.mktemp("run")
    texts = [text[:400] for text in prose(3)]
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[EOS], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = planted.Vocabulary(size=400, eos_id=0)
    ids = [np.array(tokenizer.encode(text).ids) for text in texts] * 20
    entry = planted.write_shard(str(folder), "prose", 0, ids, 20 * sum(map(len, texts)), vocabulary=vocabulary)
    tokens = planted.finish(folder, [entry], vocabulary, tokenizer.to_str().encode())
    model = Model(layers=2, width=64, context=64, heads=4, kv_heads=2, tied=request.param)
    config = Run(model=model, optimizer=Optimizer(learning_rate=1e-2), steps=150, batch=4)
    train(tokens, str(folder / "gpt"), config, 0, CPU)
    (folder / "gpt/texts.json").write_text(json.dumps(texts))
    return folder / "gpt"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        # transformers uses what torch deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def test_logits_are_those_of_transformers_llama(run: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    checkpoint, tokenizer = find(str(run))
    export(checkpoint, tokenizer, str(tmp_path))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(theirs).__name__ == "LlamaForCausalLM"
    ids = torch.randint(400, (3, 64), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        difference = (model_of(checkpoint)(ids) - theirs.eval()(ids).logits).abs().max().item()
    assert difference < 1e-4
    read = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = json.loads((run / "texts.json").read_text())[0]
    shards = TokenShards.open(str(run.parent))
    (entry,) = shards.entries("train")
    assert read.encode(text) == shards.tokens(entry)[: shards.offsets(entry)[1] - 1].tolist()
    assert (read.eos_token, read.eos_token_id) == (EOS, 0)


def test_what_was_learned_by_heart_is_gone_on_with(run: Path) -> None:
    from kernels.texts import Texts
    from mixtures import tokenizer as tokenizers

    checkpoint, file = find(str(run))
    given = tokenizers.load(str(file), EOS)
    text = json.loads((run / "texts.json").read_text())[1]
    ids = given.encode_batch(Texts.of([text]))[0].tolist()
    found = list(continuation(model_of(checkpoint), ids[:20], 0, most=30, temperature=0, top_k=1, seed=0))
    assert found == ids[20:50]


def test_draws_are_those_of_their_seed_and_stay_among_the_likeliest(run: Path) -> None:
    model = model_of(find(str(run))[0])

    def drawn(temperature: float, top_k: int, seed: int) -> list[int]:
        return list(continuation(model, [50, 51], 0, most=20, temperature=temperature, top_k=top_k, seed=seed))

    assert drawn(2.0, 400, 1) == drawn(2.0, 400, 1) != drawn(2.0, 400, 2)
    assert drawn(2.0, 1, 1) == drawn(0, 400, 2)


def test_an_end_of_document_ends_the_text(run: Path) -> None:
    model = model_of(find(str(run))[0])
    with torch.no_grad():
        model.norm.weight.zero_()
    # All logits are equal, and the first of equals is the end.
    assert list(continuation(model, [], 0, most=20, temperature=0, top_k=1, seed=0)) == []


def test_a_model_is_found_by_its_run_or_its_checkpoint(run: Path, tmp_path: Path) -> None:
    checkpoint, tokenizer = find(str(run))
    assert find(str(checkpoint.folder)) == (checkpoint, tokenizer)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        find(str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="has no checkpoint yet"):
        find(str(tmp_path))
    assert checkpoints.every(tmp_path / "checkpoints") == []
