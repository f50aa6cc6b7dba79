"""Removes invalid values, so that the rest can be checked in the same run."""

from typing import Any

from pydantic import ValidationError

from gateway.settings.positions import Items, Loc, Table
from gateway.settings.schema.config import LISTS, Config


def pruned(root: Table, wrong: list[Loc]) -> tuple[Config, Table, dict[str, list[int]]]:
    """Return the configuration without invalid fields, the root, and the index in the file of every remaining entry.

    A field is removed alone if its entry or section is valid without it, otherwise the whole entry or section is
    removed.
    """
    data: dict[str, Any] = {
        name: list(value) if name in LISTS and isinstance(value, Items) else value for name, value in root.items()
    }
    indexes = {name: list(range(len(data[name]))) for name in LISTS if isinstance(data.get(name), list)}
    while True:
        fields: dict[Loc, set[object]] = {}
        for loc in wrong:
            depth = 2 if loc[0] in indexes and len(loc) > 1 else 1
            fields.setdefault(loc[:depth], set()).add(loc[depth] if len(loc) > depth else None)
        # From the end, so that the indexes of the remaining entries stay right.
        for holder in sorted(
            fields, key=lambda loc: (loc[0], *(step for step in loc[1:] if isinstance(step, int))), reverse=True
        ):
            _prune(data, indexes, holder, fields[holder])
        data["version"] = 1
        try:
            return Config.model_validate(data), root, indexes
        except ValidationError as error:
            wrong = [details["loc"] for details in error.errors(include_url=False, include_input=False)]


def _prune(data: dict[str, Any], indexes: dict[str, list[int]], holder: Loc, fields: set[object]) -> None:
    name, index = str(holder[0]), holder[-1]
    container: Any = data[name] if isinstance(index, int) else data
    key = index if isinstance(index, int) else name
    held = container[key] if isinstance(index, int) else container.get(key)
    if isinstance(held, dict) and fields <= held.keys():
        container[key] = {field: value for field, value in held.items() if field not in fields}
        return
    if isinstance(index, int):
        del data[name][index], indexes[name][index]
    else:
        data.pop(name, None)
        indexes.pop(name, None)
