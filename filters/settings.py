"""A family with the settings that a recipe gives it: bounds, and what measuring depends on.

What goes in: a family and {parameter: value}. What comes out: the family with these. What stays true: a parameter that
nobody knows is a ValueError that names the nearest known one, and so is a value of the wrong type.
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from corpus import storage
from filters.family import Family


def with_settings(family: Family, settings: Mapping[Any, Any], check: bool) -> Family:
    """The family with `settings`. With `check`, files that they name are looked for, and tried."""
    known = [*family.parameters, *(rule.parameter for rule in family.rules)]
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"rules: {family.name} has no parameter {name!r}; the nearest is {nearest(name, known)!r}")
        if name in family.parameters:
            if not _is_like(value, family.parameters[name]):
                wanted = _kind(family.parameters[name])
                raise ValueError(f"rules: {family.name} {name} must be {wanted}, not {value!r}")
        elif not (value is None or _is_number(value)):
            raise ValueError(f"rules: {family.name} {name} must be a number, or null for no such rule, not {value!r}")
    rules = (replace(rule, bound=settings.get(rule.parameter, rule.bound)) for rule in family.rules)
    parameters = {name: settings.get(name, default) for name, default in family.parameters.items()}
    if check:
        try:
            parameters |= _files(family, parameters)
            if family.check:
                family.check(**parameters)
        except (OSError, ValueError) as error:
            raise ValueError(f"rules: {family.name}: {error}") from error
    return replace(family, rules=tuple(rule for rule in rules if rule.bound is not None), parameters=parameters)


def _files(family: Family, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that name files as lists of what is there, and what tells that one of these has changed."""
    if not family.files:
        return {}
    found: dict[str, Any] = {}
    for name in family.files:
        given = parameters[name] or []
        try:
            found[name] = storage.matching([given] if isinstance(given, str) else given)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    files = {file for names in found.values() for file in names}
    return {**found, "fingerprints": {file: storage.fingerprint(file) for file in sorted(files)}}


def _is_like(value: object, default: object) -> bool:
    """Whether a parameter that is `default` can be `value`."""
    match default:
        case float():
            return _is_number(value)
        case list():
            return isinstance(value, str) or (
                isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)
            )
        case None:
            return value is None or isinstance(value, str)
    return type(value) is type(default)


def _kind(default: object) -> str:
    """What `_is_like` asks for, in words."""
    match default:
        case list():
            return "a string or a list of strings"
        case None:
            return "a string or null"
    return f"of type {type(default).__name__}"


def _is_number(value: object) -> bool:
    # bool is an int to Python, and a bound that is not finite is a rule that is off or a mistake.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def nearest(name: object, known: Iterable[str]) -> str:
    """The known name that is most like this one."""
    return difflib.get_close_matches(str(name), known, n=1, cutoff=0)[0]
