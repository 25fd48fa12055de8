"""What every part of a recipe is made of: mappings that take exactly the keys they know, and their errors."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class RecipeError(ValueError):
    """A recipe that cannot run as it stands. The message names every problem, its key and what would do."""


class Strict(BaseModel):
    """A mapping whose keys and types are exactly those declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: object) -> object:
        if isinstance(value, Mapping):
            for key in value:
                if key not in cls.model_fields:
                    text = unknown(str(key), cls.model_fields)
                    raise PydanticCustomError("unknown_key", "{text}", {"text": text, "key": str(key)})
        return value


def unknown(name: str, known: Any, what: str = "key") -> str:
    """The message for a name nobody knows: the nearest known one first, then all of them."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f'; did you mean "{nearest[0]}"?' if nearest else ""
    return f'unknown {what} "{name}"{hint} (known: {", ".join(known)})'


def as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Paths = Annotated[list[str], BeforeValidator(as_list), Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(gt=0)]
