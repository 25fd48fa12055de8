"""The pool that proxies are trained on: token shards with each source of a mixture once, whatever its weight.

    documents (each source) ──► tokenize ──► pool_mixture ──► pool
                    tokenizer ──────┘

What goes in: a recipe with a mixture. What comes out: the steps up to the pool. What stays true: its steps up to the
token ids are the recipe's own, so that none is done twice; documents lie in random order, so that the first tokens of a
source are a sample of it; what the recipe's mixture holds out is held out.
"""

from dataclasses import dataclass

from corpus.strict import RecipeError
from mixtures.mixture import Mixture
from pipeline import mix, steps
from pipeline.graph import document_steps, tokenize_steps, tokenizer_step
from pipeline.recipe import Recipe
from pipeline.steps import Step


@dataclass(frozen=True)
class Pool:
    """The step that writes it, the tokenizer's, and all steps up to it, inputs before their users."""

    step: Step
    tokenizer: Step
    steps: list[Step]


def pool_of(recipe: Recipe, tokenizer: Step | None = None) -> Pool:
    """The pool of a recipe, encoded with its own tokenizer or with that of another one's step.

    Raises `RecipeError` for a recipe without a mixture.
    """
    if recipe.mixture is None or recipe.tokens is None:
        raise RecipeError("this recipe has no mixture and no tokens, which proxies are trained on: give both")
    before, documents = document_steps(recipe)
    learnt = tokenizer or tokenizer_step(recipe, documents)
    encoded = tokenize_steps(recipe.mixture.mixed(recipe.sources), documents, learnt)
    once = Mixture(epochs=dict.fromkeys(encoded, 1.0), validation=recipe.mixture.validation)
    drawn = {"mixture": once.model_dump(), "shard_tokens": recipe.tokens.shard_tokens, "seed": recipe.seed}
    mixture = Step("pool_mixture", mix.draw, drawn, encoded)
    # Not the recipe's hash: another name, or another total, changes nothing about the pool or the trials on it.
    params = {"eos": learnt.params["tokenizer"]["eos"], "seed": recipe.seed, "recipe_hash": mixture.key}
    inputs = {"mixture": mixture, "tokenizer": learnt, **{step.name: step for step in encoded.values()}}
    step = Step("pool", mix.write_tokens, params, inputs, mix.listed_shards, mix.finish_tokens)
    own = [] if tokenizer else [learnt]
    return Pool(step, learnt, [*before, *own, *encoded.values(), mixture, step])


def unique_tokens(root: str, pool: Pool) -> dict[str, int]:
    """Tokens of each source that are there for training, once the pool is. Raises `ValueError` for a source that has
    none, or none held out."""
    counts = steps.counts_of(root, pool.step)["tokens"]
    sources = list(steps.counts_of(root, pool.step.inputs["mixture"])["mixture"])
    empty = [source for source in sources if not counts.get("train", {}).get(source)]
    if empty:
        raise ValueError(f"{', '.join(empty)}: there is no text to train on; give weight 0 to what is empty")
    unmeasured = [source for source in sources if not counts.get("validation", {}).get(source)]
    if unmeasured:
        raise ValueError(
            f"{', '.join(unmeasured)}: no document is held out, so that no proxy can be measured on it: raise "
            "mixture.validation, or split the source's texts into more documents"
        )
    return {source: counts["train"][source] for source in sources}
