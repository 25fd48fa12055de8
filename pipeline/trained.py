"""Models that were trained before a run, which a recipe names by their folder.

What stays true: a run is by the model that it was started with, or it stops: one that was trained again in the same
folder makes other steps.
"""

from collections.abc import Callable, Mapping
from typing import Any

from corpus import storage
from corpus.strict import RecipeError


def described(key: str, folder: str, load: Callable[[str], object]) -> dict[str, Any]:
    """The `model`'s folder and the `fingerprints` of its files, as parameters of a step.

    Raises `RecipeError`, which names the recipe's `key`, for what `load` cannot load.
    """
    try:
        load(folder)
        return {"model": folder, "fingerprints": _fingerprints(folder)}
    except (OSError, ValueError) as error:
        raise RecipeError(f"{key}: {error}") from error


def folder_of(model: Mapping[str, Any]) -> str:
    """The folder of a model so described. Raises ValueError if it is no longer what it was."""
    folder: str = model["model"]
    if _fingerprints(folder) != model["fingerprints"]:
        raise ValueError(f"the model in {folder} has changed since the run was started; start it again")
    return folder


def _fingerprints(folder: str) -> dict[str, str]:
    return {name: storage.fingerprint(storage.join(folder, name)) for name in storage.list_folder(folder)}
