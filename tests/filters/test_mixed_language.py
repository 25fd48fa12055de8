import os
from pathlib import Path

import numpy as np
import pytest

from filters import language, rules
from kernels.texts import Texts
from tests.filters.test_language import other_model

ENGLISH = "The river runs under the old bridge and past the mill, where nobody has lived since the war. "
GERMAN = "Der Fluss fließt unter der alten Brücke hindurch und an der Mühle vorbei, in der niemand wohnt. "
FRENCH = "La rivière coule sous le vieux pont et passe devant le moulin, où personne n'habite plus. "


def measured(*texts: str, **parameters: object) -> dict[str, list[object]]:
    families = rules.resolve([{"mixed_language": parameters}])
    columns, same = rules.measure(given := Texts.of(texts), families)
    assert same is given
    return {name.removeprefix("mixed_language_"): column.tolist() for name, column in columns.items()}


def test_shares_of_letters_and_the_second_language() -> None:
    lines = [f"{sentence * 3}\n" for sentence in (ENGLISH, GERMAN, FRENCH)]
    both = lines[0] * 12 + lines[1] * 4
    three = lines[1] * 8 + lines[0] * 4 + lines[2] * 4
    found = measured(lines[0] * 10, both, three, block_characters=250)
    assert found["languages"] == [1, 2, 3]
    assert found["second"][:2] == ["", "de"]
    letters = [sum(map(str.isalpha, line)) for line in lines]
    assert found["main_ratio"][0] == 1.0
    assert found["main_ratio"][1] == pytest.approx(letters[0] * 12 / (letters[0] * 12 + letters[1] * 4))
    assert found["main_ratio"][2] == pytest.approx(letters[1] * 8 / (letters[1] * 8 + letters[0] * 4 + letters[2] * 4))


def test_a_language_of_less_than_a_tenth_is_not_counted_but_named() -> None:
    found = measured(f"{ENGLISH * 3}\n" * 19 + f"{GERMAN * 3}\n", block_characters=250)
    assert (found["languages"], found["second"]) == ([1], ["de"])
    assert 0.9 < found["main_ratio"][0] < 1.0  # type: ignore[operator]


def test_what_has_no_letters_and_what_is_not_sure_counts_for_nothing() -> None:
    numbers = "12 34.5 -- 67 (89) 0 1 2 3 4 5 6 7 8 9 ; 10 11 12\n" * 30
    found = measured(numbers, "", f"{ENGLISH * 6}\n" + numbers, numbers + f"{GERMAN * 6}\n")
    assert found["main_ratio"] == [1.0] * 4
    assert found["languages"] == [0, 0, 1, 1]
    assert found["second"] == [""] * 4


def test_a_page_is_judged_alone_whatever_the_batch() -> None:
    texts = [ENGLISH * 10, f"{ENGLISH * 6}\n{GERMAN * 6}", "", FRENCH * 20]
    together = measured(*texts)
    for n, text in enumerate(texts):
        assert measured(text) == {name: values[n : n + 1] for name, values in together.items()}


def test_the_rule_is_off_and_names_the_second_language_when_it_is_on() -> None:
    assert rules.rule_names(rules.resolve(["mixed_language"])) == []
    families = rules.resolve([{"mixed_language": {"min_main_ratio": 0.8}}])
    columns, _ = rules.measure(Texts.of([ENGLISH * 9, f"{ENGLISH * 6}\n{GERMAN * 4}"]), families)
    verdicts = rules.judge(families, columns, 2)
    assert rules.reasons(families, verdicts, columns).to_pylist() == [None, "mixed_language_too_little_of_main.de"]


def test_another_model_by_path_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    os.replace(other_model(tmp_path / "a", ["eng_Latn", "deu_Latn"]), path)
    text = "river bridge mill\n" * 60 + "Fluss Brücke Mühle\n" * 40
    assert measured(text, model=str(path))["second"] == ["deu_Latn"]
    before = rules.resolve([{"mixed_language": {"model": str(path)}}])[0].measuring
    os.replace(other_model(tmp_path / "b", ["one_more", "deu_Cyrl"]), path)
    os.utime(path, (0, 0))
    assert rules.resolve([{"mixed_language": {"model": str(path)}}])[0].measuring != before
    assert measured(text, model=str(path))["second"] == ["deu_Cyrl"]


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.bin").write_bytes(b"nothing")
    for parameters, message in (
        ({"block_characters": 0}, "block_characters must be 1 or more, not 0"),
        ({"model": str(tmp_path / "no.bin")}, r"no\.bin is no fastText model"),
        ({"model": str(tmp_path / "nowhere.bin")}, "no file matches"),
    ):
        with pytest.raises(ValueError, match=message):
            rules.resolve([{"mixed_language": parameters}])
    for name in "ab":
        (tmp_path / f"{name}.ftz").write_bytes(b"")
    with pytest.raises(ValueError, match="are 2 files; name one"):
        rules.resolve([{"mixed_language": {"model": str(tmp_path / "*.ftz")}}])


def test_one_block_agrees_with_identify() -> None:
    texts = [ENGLISH * 4, GERMAN * 4, FRENCH * 4]
    assert measured(*texts, block_characters=100_000)["languages"] == [1, 1, 1]
    labels, scores = language.identify_batch(Texts.of(texts))
    whole = language.identify(texts, characters=None)
    assert (labels, scores.tolist()) == (whole[0], whole[1].tolist())
    assert np.all(scores >= 0.5)
