"""What holds for both kinds of classifier."""

import gzip
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from filters import learnable
from filters.classifier import FEATURE_VERSION, KINDS, Classifier, ClassifierError, telling, train
from filters.examples import Examples, choose, hosts_of, sides_of
from filters.language import identify
from kernels.texts import Texts
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc

ENCYCLOPEDIA = "the treaty was signed in the century by the king and the province became part of the kingdom".split()
SHOP = "buy now cheap shipping cart sale discount price offer click here login account free best deal".split()
LEXIKON = (
    "der Vertrag wurde im Jahrhundert von König und Provinz geschlossen die Stadt gehört seitdem zum Reich".split()
)
LADEN = "jetzt kaufen günstig Versand Warenkorb Angebot Rabatt Preis hier klicken Konto kostenlos bester Preis".split()


def texts(words: list[str], count: int, seed: int, size: int = 60) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(words, size)) for _ in range(count)]


def examples(
    positives: list[str], pages: list[str], urls: list[str | None] | None = None, languages: list[str] | None = None
) -> Examples:
    batch = Texts.of(
        positives + pages,
        languages or ["en"] * (len(positives) + len(pages)),
        [None] * len(positives) + (urls or sites(len(pages))),
    )
    labels = np.repeat(np.array([1, 0], np.int8), [len(positives), len(pages)])
    return Examples(batch, labels, sides_of(batch, ()), {"no_text": 3})


def sites(count: int, name: str = "site") -> list[str | None]:
    return [f"https://{name}{n}.example/page" for n in range(count)]


@pytest.fixture(scope="module")
def models() -> dict[str, Classifier]:
    random = np.random.default_rng(0)
    mixed = [*random.permuted(SHOP + ENCYCLOPEDIA)]
    given = examples(texts(ENCYCLOPEDIA, 80, 0) + texts(mixed, 20, 1), texts(SHOP, 80, 2) + texts(mixed, 20, 3))
    return {kind: train(given, kind=kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_unseen_texts_like_the_positives_score_higher(kind: str, models: dict[str, Classifier]) -> None:
    unseen = Texts.of(texts(ENCYCLOPEDIA, 30, 8) + texts(SHOP, 30, 9), urls=sites(60, "unseen"))
    scores = models[kind].score(unseen)
    assert scores.dtype == np.float32
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores[:30].min() > scores[30:].max()
    assert scores[:30].mean() > 0.8
    assert scores[30:].mean() < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_mean_nothing_give_scores_that_say_so(kind: str) -> None:
    """Memory of the training texts would look like judgement, and a curve fitted to it like certainty."""
    given = examples(texts(SHOP, 90, 1), texts(SHOP, 90, 2))
    model = train(given, kind=kind)
    scores = model.score(given.texts)
    assert 0.3 < model.auc < 0.7
    assert 0.3 < roc_auc_score(given.labels, scores) < 0.7
    assert np.abs(scores - 0.5).mean() < 0.2


def test_a_host_is_scored_by_what_was_not_learnt_from_it() -> None:
    """Every host's pages carry a word of their own, and only memory could know it."""
    marked = [f"{text} " + f"marker{n % 40} " * 20 for n, text in enumerate(texts(SHOP, 200, 1))]
    urls: list[str | None] = [f"https://host{n % 40}.example/{n}" for n in range(200)]
    model = train(examples(texts(ENCYCLOPEDIA, 100, 0), marked, urls))
    assert model.by_host
    for row in range(40):
        known, unknown = (
            model.score(Texts.of([f"{word} {word}"] * 2, urls=[urls[row]] * 2))[0] for word in (f"marker{row}", "zebra")
        )
        assert known == unknown, urls[row]


@pytest.mark.parametrize("kind", KINDS)
def test_training_again_gives_the_same_bytes_and_a_saved_model_the_same_scores(
    kind: str, models: dict[str, Classifier], tmp_path: Path
) -> None:
    given = examples(texts(ENCYCLOPEDIA, 30, 0), texts(SHOP, 30, 1))
    for name in ("one", "two"):
        train(given, kind=kind, folds=1, seed=3).save(str(tmp_path / name))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert [(tmp_path / "two" / name).read_bytes() for name in files] == [
        (tmp_path / "one" / name).read_bytes() for name in files
    ]
    model = replace(models[kind], figures={"auc": 0.5})
    model.save(str(tmp_path / "saved"))
    loaded = Classifier.load(str(tmp_path / "saved"))
    unseen = Texts.of(texts(ENCYCLOPEDIA + SHOP, 30, 5), urls=sites(30, "unseen"))
    assert loaded.score(unseen).tolist() == model.score(unseen).tolist()
    assert (loaded.kind, loaded.folds, loaded.languages, loaded.figures) == (kind, 2, ("",), {"auc": 0.5})
    assert loaded.training == json.loads(json.dumps(model.training))
    assert loaded.has_seen(unseen).tolist() == [False] * 30


def test_what_was_trained_on_is_known_by_host_and_by_text(models: dict[str, Classifier]) -> None:
    seen = texts(ENCYCLOPEDIA, 80, 0)[5]
    asked = Texts.of(
        [f"  {seen.upper()}", "another text", "another text", "another text"],
        urls=["https://new.example/", "https://site7.example/other", "https://unseen.example/", None],
    )
    assert models["linear"].has_seen(asked).tolist() == [True, True, False, False]


def test_pages_of_a_host_that_is_split_by_text_are_known_by_text() -> None:
    given = examples(texts(ENCYCLOPEDIA, 40, 0), texts(SHOP, 40, 1), ["https://one.example/"] * 40)
    given = replace(given, split_hosts=("one.example",), sides=sides_of(given.texts, ("one.example",)))
    model = train(given)
    assert not model.by_host
    asked = Texts.of([texts(SHOP, 40, 1)[0], "new"], urls=["https://one.example/"] * 2)
    assert model.has_seen(asked).tolist() == [True, False]


def test_a_language_with_enough_of_both_classes_has_a_model_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learnable, "LEAST_OF_A_LANGUAGE", 40)
    languages = ["en"] * 40 + ["de"] * 40 + ["fr"] * 10
    # In German the shop is what is wanted.
    given = examples(
        texts(ENCYCLOPEDIA, 40, 0) + texts(LADEN, 40, 1) + texts(ENCYCLOPEDIA, 10, 2),
        texts(SHOP, 40, 3) + texts(LEXIKON, 40, 4) + texts(SHOP, 10, 5),
        languages=languages * 2,
    )
    model = train(given)
    assert model.languages == ("", "de", "en")
    asked = [texts(words, 1, 9)[0] for words in (ENCYCLOPEDIA, LADEN, LEXIKON, ENCYCLOPEDIA, SHOP)]
    scores = model.score(Texts.of(asked, ["en", "de", "de", None, "pt"]))
    assert [score > 0.5 for score in scores] == [True, True, False, True, False]
    # Nearly all of one language is no reason for two models of it.
    mostly = examples(texts(ENCYCLOPEDIA, 60, 0), texts(SHOP, 60, 1), languages=["en"] * 58 + ["de"] * 2 + ["en"] * 60)
    assert train(mostly).languages == ("",)


def test_the_recipe_of_a_model_is_kept() -> None:
    given = examples(texts(ENCYCLOPEDIA, 30, 0), texts(SHOP, 40, 1))
    told: list[tuple[int, int]] = []
    training = train(given, seed=5, progress=lambda *done: told.append(done)).training
    assert (training["seed"], training["positives"], training["pages"]) == (5, 30, 40)
    assert training["left_out"] == {"no_text": 3}
    assert training["settings"]["features"] == 1 << 18
    assert [curve["fold"] for curve in training["calibration"]] == [0, 1]
    assert all(curve["slope"] > 0 and curve["auc"] > 0.9 for curve in training["calibration"])
    assert told == [(1, 2), (2, 2)]
    other = train(examples(texts(ENCYCLOPEDIA, 30, 0), texts(SHOP, 40, 2)), seed=5).training
    assert other["data_hash"] != training["data_hash"] == train(given, seed=6).training["data_hash"]


@pytest.mark.parametrize("kind", KINDS)
def test_telling_words_are_those_that_only_one_class_uses(kind: str, models: dict[str, Classifier]) -> None:
    words = telling(models[kind], Texts.of(texts(ENCYCLOPEDIA, 50, 0) + texts(SHOP, 50, 1)), 5)
    assert list(words) == ["positives", "pages"]
    assert all(word in ENCYCLOPEDIA for pair in words["positives"] for word in pair.split())
    assert all(word in SHOP for pair in words["pages"] for word in pair.split())
    assert all(len(found) == 5 for found in words.values())


@pytest.mark.parametrize(
    ("positives", "pages", "folds", "message"),
    [
        (40, 0, 2, "there are pages of 0 sites on side 0"),
        (4, 40, 1, "there are positives of 4 sites, and 5 are the fewest"),
        (7, 40, 2, r"there are positives of \d sites on side [01], of which one fold is to learn, and 5"),
    ],
)
def test_too_little_of_a_class_is_refused(positives: int, pages: int, folds: int, message: str) -> None:
    with pytest.raises(ClassifierError, match=message):
        train(examples(texts(ENCYCLOPEDIA, positives, 0), texts(SHOP, pages, 1)), folds=folds)


def test_many_pages_of_few_sites_are_too_little() -> None:
    urls: list[str | None] = [f"https://site{n % 3}.example/{n}" for n in range(60)]
    with pytest.raises(ClassifierError, match="pages of 3 sites"):
        train(examples(texts(ENCYCLOPEDIA, 40, 0), texts(SHOP, 60, 1), urls), folds=1)


def test_a_folder_without_a_model_a_damaged_one_and_another_versions_are_refused(
    models: dict[str, Classifier], tmp_path: Path
) -> None:
    with pytest.raises(ClassifierError, match="nothing holds no classifier"):
        Classifier.load(str(tmp_path / "nothing"))
    for kind, model in models.items():
        folder = tmp_path / kind
        model.save(str(folder))
        for path in sorted(folder.iterdir()):
            whole = path.read_bytes()
            for damaged in (whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:], None):
                path.unlink() if damaged is None else path.write_bytes(damaged)
                with pytest.raises(ClassifierError, match=f"{kind} (is damaged|holds no classifier)"):
                    Classifier.load(str(folder))
            path.write_bytes(whole)
        Classifier.load(str(folder))
    record = tmp_path / "linear/model.json"
    record.write_text(record.read_text().replace(f'"feature_version": {FEATURE_VERSION}', '"feature_version": 0'))
    with pytest.raises(
        ClassifierError, match=f"feature version 0, and this crawlmill's is {FEATURE_VERSION}.*train it again"
    ):
        Classifier.load(str(tmp_path / "linear"))


def test_references_are_told_from_unseen_hosts_and_probabilities_hold(shared_data: Path) -> None:
    """Real articles and pages: one side trains, the other is unseen."""
    found = real_examples(shared_data)
    train_on = np.flatnonzero(sides_of(found.texts, found.split_hosts) == 0)
    model = train(found.take(train_on), folds=1)
    unseen = found.take(np.flatnonzero(~model.has_seen(found.texts)))
    scores = model.score(unseen.texts)
    assert roc_auc_score(unseen.labels, scores) > 0.97
    positive = unseen.labels == 1
    weight = np.where(positive, 1 / positive.sum(), 1 / (~positive).sum())
    for low in (0.0, 0.5):
        inside = (scores >= low) & (scores <= low + 0.5)
        share = weight[inside & positive].sum() / weight[inside].sum()
        assert abs(share - np.average(scores[inside], weights=weight[inside])) < 0.06
    assert len(hosts_of(unseen.texts.urls)) > 200


def real_examples(shared_data: Path) -> Examples:
    """Articles of Wikipedia and the pages of one crawl file."""
    found = [item for item in read_warc(str(shared_data / "pages/pages-dev-00000.warc.gz")) if isinstance(item, Page)]
    pages = [(page.url, text) for page in found if (text := extract(page.body, "resiliparse"))]
    with gzip.open(shared_data / "reference/wikipedia.jsonl.gz") as file:
        articles = [json.loads(line)["text"] for line in itertools.islice(file, 900)]

    def table(urls: list[str | None], bodies: list[str]) -> pa.Table:
        columns = {"url": pa.array(urls, pa.string()), "language": pa.array(identify(bodies)[0], pa.string())}
        return pa.table({**columns, "text": pa.array(bodies, pa.large_string())})

    return choose(table([None] * 900, articles), table([u for u, _ in pages], [t for _, t in pages]), seed=0)
