"""Leaving out what is wrong, so that the rest can be checked in the same run."""

from typing import Any

from pydantic import ValidationError

from gateway.settings.schema.config import LISTS, Config
from gateway.settings.tree import Items, Loc, Table


def pruned(root: Table, wrong: list[Loc]) -> tuple[Config, Table, dict[str, list[int]]]:
    """What is left without the fields that are wrong, the root, and the index in the file of every entry left.

    A field goes alone where its entry can do without it, otherwise the whole entry goes.
    """
    data: dict[str, Any] = {name: list(value) if name in LISTS and isinstance(value, Items) else value for name, value in root.items()}
    indexes = {name: list(range(len(data[name]))) for name in LISTS if isinstance(data.get(name), list)}
    while True:
        # From behind, so that the indexes of what is still to go stay right.
        for loc in sorted(wrong, key=lambda loc: [(isinstance(step, str), step) for step in loc], reverse=True):
            _prune(data, indexes, loc)
        data["version"] = 1
        try:
            return Config.model_validate(data), root, indexes
        except ValidationError as error:
            wrong = [details["loc"] for details in error.errors(include_url=False, include_input=False)]


def _prune(data: dict[str, Any], indexes: dict[str, list[int]], loc: Loc) -> None:
    name, *rest = loc
    holder = data.get(str(name))
    if name in indexes and rest and isinstance(holder, list):
        _prune_entry(holder, indexes[str(name)], rest)
    elif rest and isinstance(holder, dict) and rest[0] in holder:
        data[str(name)] = {key: value for key, value in holder.items() if key != rest[0]}
    else:
        data.pop(str(name), None)


def _prune_entry(entries: list[Any], indexes: list[int], rest: list[str | int]) -> None:
    index, *below = rest
    if not isinstance(index, int) or index >= len(entries):
        return
    entry = entries[index]
    if below and isinstance(entry, dict) and below[0] in entry:
        entries[index] = {key: value for key, value in entry.items() if key != below[0]}
    else:
        del entries[index], indexes[index]
