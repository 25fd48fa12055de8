"""Configurations from YAML: read, overridden from the command line, and checked as a whole.

What goes in: YAML and `--set KEY=VALUE`. What comes out: one frozen and fully checked configuration, or one
`RecipeError` that lists every problem with the path of its key.
"""

import re
from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from corpus import storage
from corpus.strict import RecipeError, Strict, unknown

Configuration = TypeVar("Configuration", bound=Strict)


class _Loader(yaml.SafeLoader):
    """YAML as people write it: `no` is the Norwegian language, not false, and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a list or a mapping is no key", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f'key "{key}" is given twice', problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL or letter in "tTfF"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# YAML 1.1 wants a point and a sign: 3.0e-4 and 1.0e+9.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d[\d_]*(?:\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def parse_yaml(text: str, name: str) -> Any:
    try:
        return _unshared(yaml.load(text, _Loader))
    except yaml.YAMLError as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from error
    except RecursionError as error:
        raise RecipeError(f"{name} nests too deeply, or an anchor in it holds itself") from error


def _unshared(value: Any) -> Any:
    """The same value with nothing in two places: an override of one is not to reach what an anchor named again."""
    if isinstance(value, dict):
        return {key: _unshared(inside) for key, inside in value.items()}
    return [_unshared(inside) for inside in value] if isinstance(value, list) else value


def override(data: Any, assignment: str) -> None:
    """Apply one `--set dotted.key=value` to the recipe's mapping; the value is read as YAML.

    In a list of names a key goes on with one of these: `rules.c4.min_sentences=3` is about {c4: {min_sentences: ...}},
    whether c4 had parameters before or was a name only.
    """
    key, equals, value = assignment.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {assignment}: write it as dotted.key=value, for example --set proxy.steps=50")
    path: list[str] = []
    left = key.split(".")
    while True:
        name = left[0]
        if isinstance(data, list):
            data, name = _entry(data, left, f"--set {assignment}: {'.'.join(path)}")
        elif not isinstance(data, dict):
            raise RecipeError(f"--set {assignment}: {'.'.join(path)} holds a value, not keys")
        left = left[name.count(".") + 1 :]
        if not left:
            data[name] = parse_yaml(value, f"--set {key}")
            return
        if data.get(name) is None:
            data[name] = {}
        data = data[name]
        path.append(name)


def _entry(entries: list[Any], key: Sequence[str], where: str) -> tuple[dict[str, Any], str]:
    """The entry {name: ...} of a list of names that `key` goes on with, and the name, which may have dots in it."""
    names = named_in(entries)
    for size in range(len(key), 0, -1):
        name = ".".join(key[:size])
        if name in names:
            place = names.index(name)
            if isinstance(entries[place], str):
                entries[place] = {name: None}
            return entries[place], name
    raise RecipeError(f"{where}: {unknown('.'.join(key[:-1]) or key[0], names, 'entry')}")


def named_in(entries: Sequence[Any]) -> list[str]:
    """The names of the entries of a list, each a name or {name: parameters}."""
    return [str(next(iter(entry), "")) if isinstance(entry, dict) else str(entry) for entry in entries]


def _problem(error: ErrorDetails, data: Any) -> str:
    """One line for one problem: the key's path as the user wrote it, what is wrong, and the value.

    pydantic puts the names of union members in its locations; they are not in the recipe, so they are left out.
    """
    path: list[str] = []
    for place, part in enumerate(error["loc"], 1):
        inside = (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int))
        if inside:
            data = data[part]
        if inside or (error["type"] == "missing" and place == len(error["loc"])):
            path.append(str(part))
    context = error.get("ctx", {})
    path += [context["key"]] if "key" in context else []
    value = f", not {error['input']!r}" if isinstance(error["input"], str | int | float | None) else ""
    return f"{'.'.join(path)}: {error['msg'].replace('Input should', 'should')}{value}".removeprefix(": ")


def read(path: str, kind: type[Configuration], overrides: Sequence[str] = ()) -> Configuration:
    """The configuration in the file at `path`. Raises `RecipeError`."""
    try:
        data = parse_yaml(storage.read_bytes(path).decode(), path)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        keys = " and ".join(list(kind.model_fields)[:2])
        raise RecipeError(f"{path} holds no {kind.__name__.lower()}: expected keys such as {keys}")
    return checked(data, kind, overrides, path)


def checked(data: dict[str, Any], kind: type[Configuration], overrides: Sequence[str], name: str) -> Configuration:
    """The configuration of a mapping, which `overrides` change; `name` is where it came from."""
    for assignment in overrides:
        override(data, assignment)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problems = sorted({_problem(e, data) for e in error.errors()})
        raise RecipeError("\n  ".join([f"{name} cannot run:", *problems])) from error
