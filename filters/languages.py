"""What a rule written for English must know about other languages, from languages.yaml; made by make_languages.py."""

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import yaml


@dataclass(frozen=True, slots=True)
class Language:
    """A language against English, which has 1.0 everywhere, where both say the same.

    words: how many words it takes; word_length: their mean length; characters: code points in all. Words of punctuation
    alone are not counted. stop_words: eight to twenty frequent function words, lower case.
    """

    words: float
    word_length: float
    characters: float
    stop_words: tuple[str, ...]


@cache
def load() -> Mapping[str, Language]:
    """Every language there are data for, by the label of lid.176 ("de", "zh")."""
    entries = yaml.safe_load((importlib.resources.files("filters") / "languages.yaml").read_text(encoding="utf-8"))
    languages = {
        label: Language(**{**entry, "stop_words": tuple(entry["stop_words"])}) for label, entry in entries.items()
    }
    return MappingProxyType(languages)
