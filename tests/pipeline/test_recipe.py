import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from corpus import storage
from corpus.strict import RecipeError
from filters.rules import FAMILIES
from pipeline.dedup_recipe import Containment, DedupOverSources, Lines, MinHash
from pipeline.graph import steps_of
from pipeline.proxies.recipe import Proxies, Verify
from pipeline.recipe import (
    Dedup,
    JsonlSource,
    Language,
    Mixture,
    Recipe,
    Reference,
    Tokenizer,
    Tokens,
    WarcSource,
    load,
)
from pipeline.scaling.recipe import Runs, Scaling
from trainer.config import Run

ROOT = Path(__file__).parents[2]
BASE = """
name: test
sources:
  web: {kind: jsonl, paths: PATH, language: {keep: [en]}, rules: [c4]}
mixture: {tokens: 1_000, weights: {web: 1}}
tokens: {tokenizer: {train: 300}}
proxy: {steps: 2}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "in.jsonl").write_text('{"text": "words"}\n')
    (tmp_path / "recipe.yaml").write_text(BASE.replace("PATH", str(tmp_path / "in.jsonl")))
    return str(tmp_path / "recipe.yaml")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sources.web.langage=3", 'sources.web.langage: unknown key "langage"; did you mean "language"?'),
        ("proxy.stepz=3", 'proxy.stepz: unknown key "stepz"; did you mean "steps"?'),
        ("proxy.steps=many", "proxy.steps: should be a valid integer, not 'many'"),
        ("proxy.steps=true", "proxy.steps: should be a valid integer, not True"),
        ("proxy.steps=0", "proxy.steps: should be greater than 0, not 0"),
        ("sources.web.dedup.exact=yes", "sources.web.dedup.exact: should be a valid boolean, not 'yes'"),
        ("sources.web.kind=wrc", "sources.web"),
        ("sources.web.paths=null", "sources.web.paths: should be a valid list, not None"),
        ("mixture.weights={web: 0}", "mixture: the weights sum to 0"),
        ("mixture.weights={wbe: 1}", 'unknown source "wbe"; did you mean "web"?'),
        ("mixture.weights.web=-1", "mixture.weights.web: should be greater than or equal to 0, not -1"),
        ("mixture.tokens=null", "mixture.tokens: give the total; web get a share of it"),
        ("mixture.epochs={web: 1}", 'mixture: "web" is in both weights and epochs'),
        ("mixture.max_epochs={wbe: 1}", 'mixture.max_epochs: unknown source "wbe"'),
        ("mixture.max_epochs=0", "mixture.max_epochs: should be greater than 0, not 0"),
        ("mixture.missing=ignore", "mixture.missing: should be 'error' or 'report', not 'ignore'"),
        ("tokens.also=[lmc]", "tokens.also.0: should be 'llm.c' or 'text', not 'lmc'"),
        ("tokens=null", "give both mixture and tokens"),
        ("tokens.tokenizer.file=x.json", "give one of: train"),
        ("sources.web.reference={keep: 0.5}", "sources.web.reference: give one of: positives"),
        (
            "sources.web.reference={model: m, keep: 1.5}",
            "sources.web.reference.keep: should be less than or equal to",
        ),
        ("sources.web.reference={model: m, keep: {}}", "sources.web.reference.keep: give one of: share, threshold"),
        ("sources.web.reference={model: m, keep: {buckets: [top]}}", "keep.buckets.0: should be 'head', 'middle' or"),
        ("sources.web.reference={model: m}", "sources.web.reference.keep: Field required"),
        ("sources.web.perplexity={model: m, keep: {pareto: 9}}", "pareto draws by a probability"),
        ("sources.web.language={keep: [en], characters: 0}", "sources.web.language.characters: should be greater"),
        ("name=../up", "name: "),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_the_nearest_known_one(override: str, said: str, recipe: str) -> None:
    with pytest.raises(RecipeError) as error:
        load(recipe, (override,))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sources.web.paths=nowhere/*.gz", 'sources.web.paths: no file matches "nowhere/*.gz"'),
        ("sources.web.rules=[c5]", "sources.web.rules: no family 'c5'; the nearest is 'c4'"),
        ("sources.web.rules=[{c4: {min_sentence: 3}}]", "the nearest is 'min_sentences'"),
        ("sources.web.language.keep=[english]", 'sources.web.language: unknown language "english"'),
        ("sources.web.language.model=nowhere.bin", "sources.web.language"),
        ("sources.web.paths=.", "is a directory"),
        ("tokens.tokenizer={file: nowhere.json}", "tokens.tokenizer.file"),
        (
            "sources.web.reference={positives: {kind: jsonl, paths: nowhere}, keep: 0.5}",
            'sources.web.reference.positives.paths: no file matches "nowhere"',
        ),
    ],
)
def test_inputs_are_checked_before_anything_starts(override: str, said: str, recipe: str) -> None:
    with pytest.raises(RecipeError) as error:
        steps_of(load(recipe, (override,)))
    assert said in str(error.value)


def test_every_problem_is_said_at_once(recipe: str) -> None:
    with pytest.raises(RecipeError) as error:
        load(recipe, ("seed=x", "proxy.width=y"))
    assert "seed: " in str(error.value)
    assert "proxy.width: " in str(error.value)


def test_no_is_a_language_and_a_key_given_twice_an_error(recipe: str, tmp_path: Path) -> None:
    assert load(recipe, ("sources.web.language.keep=[no, en]",)).sources["web"].language.keep == ["no", "en"]  # type: ignore[union-attr]
    (tmp_path / "twice.yaml").write_text("name: a\nname: b\n")
    with pytest.raises(RecipeError, match=r'key "name" is given twice'):
        load(str(tmp_path / "twice.yaml"))


def test_numbers_are_read_as_people_write_them(recipe: str) -> None:
    for written, rate in (("3e-4", 3e-4), ("3.0e-4", 3e-4), ("1E+2", 100.0), ("5e-1", 0.5)):
        assert load(recipe, (f"proxy.optimizer.learning_rate={written}",)).proxy.optimizer.learning_rate == rate  # type: ignore[union-attr]
    assert load(recipe, ("name=3e4x",)).name == "3e4x"


def test_an_override_reaches_one_place_though_an_anchor_named_two(recipe: str, tmp_path: Path) -> None:
    text = Path(recipe).read_text().replace("  web: {", "  web: &shared {") + "\n"
    Path(recipe).write_text(text.replace("mixture:", "  wiki: *shared\nmixture:"))
    sources = load(recipe, ("sources.wiki.text_field=body",)).sources
    assert [source.text_field for source in sources.values()] == ["text", "body"]  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "[a]: 3", "a: &a [*a]", "[1, 2]", "a: [", "\xff"])
def test_what_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(RecipeError, match=r"r\.yaml"):
        load(str(tmp_path / "r.yaml"))


RULES = "sources.web.rules=[c4, {classifier.toxic: {model: m}}, {classifier: {model: n}}]"


@pytest.mark.parametrize(
    ("override", "rules"),
    [
        ("c4.min_sentences=3", [{"c4": {"min_sentences": 3}}, None, None]),
        ("c4.min_sentences=null", [{"c4": {"min_sentences": None}}, None, None]),
        ("c4={min_sentences: 3}", [{"c4": {"min_sentences": 3}}, None, None]),
        ("classifier.toxic.max_score=0.5", [None, {"classifier.toxic": {"model": "m", "max_score": 0.5}}, None]),
        ("classifier.model=o", [None, None, {"classifier": {"model": "o"}}]),
    ],
)
def test_an_override_goes_into_a_list_by_the_names_in_it(
    override: str, rules: list[dict[str, object] | None], recipe: str
) -> None:
    before: list[object] = ["c4", {"classifier.toxic": {"model": "m"}}, {"classifier": {"model": "n"}}]
    expected = [new or old for new, old in zip(rules, before, strict=True)]
    assert load(recipe, (RULES, f"sources.web.rules.{override}")).sources["web"].rules == expected


def test_a_recipe_is_read_from_where_files_can_be(recipe: str) -> None:
    storage.write_bytes("memory://recipes/mine.yaml", Path(recipe).read_bytes())
    assert load("memory://recipes/mine.yaml") == load(recipe)


def test_overrides_of_one_entry_add_up(recipe: str) -> None:
    both = ("sources.web.rules.c4.min_sentences=3", "sources.web.rules.c4.terminal_punctuation=false")
    assert load(recipe, both).sources["web"].rules == [{"c4": {"min_sentences": 3, "terminal_punctuation": False}}]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "c5.min_sentences=3",
            'sources.web.rules: unknown entry "c5"; did you mean "c4"? (known: c4, classifier.toxic',
        ),
        ("classifier.toxik.max_score=3", 'unknown entry "classifier.toxik"; did you mean "classifier.toxic"?'),
        ("0=c4", 'unknown entry "0" (known: c4'),
        ("c4.min_sentences.deep=3", "sources.web.rules.c4.min_sentences holds a value, not keys"),
    ],
)
def test_a_name_that_is_not_in_the_list_is_refused_with_those_there(override: str, said: str, recipe: str) -> None:
    toxic = "sources.web.rules=[{c4: {min_sentences: 2}}, {classifier.toxic: {model: m}}]"
    with pytest.raises(RecipeError) as error:
        load(recipe, (toxic, f"sources.web.rules.{override}"))
    assert said in str(error.value)


@pytest.mark.parametrize("override", ["proxy", "=3", "proxy.steps.deep=2"])
def test_an_override_that_cannot_be_applied_is_refused(override: str, recipe: str) -> None:
    with pytest.raises(RecipeError, match="--set"):
        load(recipe, (override,))


def test_the_proxy_is_no_part_of_what_the_data_is(recipe: str) -> None:
    assert load(recipe).hash() == load(recipe, ("proxy.steps=7",)).hash() == load(recipe, ("seed=0",)).hash()
    assert load(recipe).hash() == load(recipe, ("tokens.also=[text]",)).hash()
    assert load(recipe).hash() != load(recipe, ("seed=1",)).hash()


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_the_recipes_that_ship_are_valid(path: Path) -> None:
    assert load(str(path)).name == path.stem


def test_every_rule_and_key_is_in_the_docs() -> None:
    docs = (ROOT / "docs/recipe.md").read_text()
    for family in FAMILIES.values():
        for rule in family.rules:
            bound = "off" if rule.bound is None else f"{rule.bound:g}"
            row = f"| `{family.name}` | `{rule.parameter}` | {bound} | `{rule.name}` | {rule.origin} |"
            assert row in docs
    deduplicating = (Dedup, MinHash, Containment, Lines, DedupOverSources)
    for model in (
        *deduplicating,
        WarcSource,
        JsonlSource,
        Language,
        Reference,
        Mixture,
        Tokens,
        Tokenizer,
        Proxies,
        Verify,
        Scaling,
        Runs,
        Recipe,
    ):
        for key in model.model_fields:
            assert re.search(rf"[`.]{key}[`.]|\b{key}: ", docs), (model.__name__, key)


def test_every_key_of_training_is_in_the_docs_with_its_parts() -> None:
    docs = (ROOT / "docs/train.md").read_text()

    def keys(model: type[BaseModel], before: str) -> Iterator[str]:
        for name, field in model.model_fields.items():
            kind = field.annotation
            inside = isinstance(kind, type) and issubclass(kind, BaseModel)
            yield from keys(kind, f"{before}{name}.") if inside else [f"`{before}{name}`"]

    missing = [key for key in keys(Run, "") if key not in docs]
    assert missing == []
