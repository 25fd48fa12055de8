import zipfile
from pathlib import Path

import pytest

from benchmarks import languages
from benchmarks.languages import Declaration, Judged, declarations, judge, pieces, tables
from filters.language import known_languages

ENGLISH = "The river runs under the old bridge and past the mill, where nobody has lived since the war. "


def test_pieces_are_whole_apart_and_not_too_many() -> None:
    text = "".join(map(chr, range(200, 5200)))
    some = pieces(text, 100)
    assert len(some) == languages.MOST_PIECES
    assert all(len(piece) == 100 and piece in text for piece in some)
    assert len(set("".join(some))) == 100 * len(some)
    assert pieces("short", 100) == []


def test_a_files_name_says_its_language_where_the_model_has_it(tmp_path: Path) -> None:
    path = tmp_path / "udhr.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("eng", "por_BR", "quz", "acu_1", "xyz", "eve"):
            file.writestr(f"udhr/{name}.txt", "x" * languages.SKIPPED + f"\n{ENGLISH}\n" * 9)
    found = {one.name: one.label for one in declarations(path, known_languages())}
    assert found == {"eng": "en", "por_BR": "pt", "quz": "qu", "acu_1": None, "xyz": None, "eve": None}


def test_accuracy_confusions_and_what_cannot_be_known() -> None:
    english, unknown = Declaration("eng", "en", ENGLISH * 40), Declaration("xyz", None, ENGLISH * 40)
    german = Declaration("deu", "de", ENGLISH * 40)
    [one, two, three], seconds = judge([english, german, unknown], 300)
    assert (one.accuracy, two.accuracy) == (1.0, 0.0)
    assert seconds > 0
    judged = {n: [one, two, three] for n in languages.LENGTHS}
    overall, worst, confusions, instead = tables(judged, dict.fromkeys(languages.LENGTHS, seconds))
    assert overall.rows["300 characters"]["accuracy"] == 0.5
    assert overall.rows["300 characters"]["unknown from 0.65"] == 1.0
    assert list(worst.rows) == ["de (deu)"]
    assert confusions.rows == {"de (deu) as en": {"share": 1.0}}
    assert instead.rows == {"en: xyz": {"files": 1, "from 0.65": 1.0}}
    for table in (overall, worst, confusions, instead):
        assert table.markdown()


def test_of_equal_labels_the_first_by_name_is_said_instead() -> None:
    one = Judged(Declaration("xyz", None, ""), ["fr", "de", "fr", "de"], [0.9, 0.9, 0.1, 0.1])
    known = [Judged(Declaration("eng", "en", ""), ["en"], [1.0])]
    *_, instead = tables({n: [*known, one] for n in languages.LENGTHS}, dict.fromkeys(languages.LENGTHS, 1.0))
    assert instead.rows == {"de: xyz": {"files": 1, "from 0.65": 0.5}}


def test_every_declaration_there_is(shared_data: Path) -> None:
    if not languages.ARCHIVE.exists():
        pytest.skip("needs the declarations in ../shared/data/udhr")
    found = declarations(languages.ARCHIVE, known_languages())
    assert len(found) == 388
    assert len({one.label for one in found} - {None}) > 110
    by_name = {one.name: one.label for one in found}
    assert (by_name["cmn_hant"], by_name["ell_polytonic"], by_name["nob"], by_name["srp_latn"]) == (
        "zh",
        "el",
        "no",
        "sr",
    )
