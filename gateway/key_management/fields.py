"""The fields of a key, as an entry of `keys` has them: checked, and changed."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from gateway.key_management.registry_access import KeyChangeError
from gateway.keystore.records import MOST_BYTES
from gateway.settings import Config
from gateway.settings.checks.stored_keys import References, key_problems, read_key

ROOM_BYTES = 1024
"""Left free for what is added to an entry later: another digest, an earlier end."""
_NO_SECRET = "0" * 64
"""In place of a digest, where only the other fields are checked."""
_OWN = frozenset({"id", "secret_sha256"})
"""Fields that no change may name: the id stays, and secrets are made here."""


class ListField(NamedTuple):
    """A field that is a list. `word` is one of it. `absent` is what its absence means, "" for nothing special.

    `required` lists are never left empty, as that would mean the same as their absence.
    """

    word: str
    name: str
    absent: str
    required: bool


LISTS = (
    ListField("route", "routes", "all, which is no list", required=True),
    ListField("method", "methods", "all, which is no list", required=True),
    ListField("organization", "organizations", "none", required=True),
    ListField("allow", "allow", "none", required=False),
    ListField("deny", "deny", "none", required=False),
    ListField("referrer", "referrers", "none", required=False),
)
_FREE = frozenset({"organization", "allow", "deny", "referrer"})
"""Lists to which something can be added when there are none: for others that would narrow what is all."""


def check_key(config: Config, key: Mapping[str, Any]) -> None:
    """Raise KeyChangeError with all that is wrong with the fields of a key, which has no digest."""
    entry = {"secret_sha256": _NO_SECRET, **key}
    problems = list(key_problems(entry))
    if not problems:
        setting, references = read_key(entry), References(config)
        problems = [*references.wrong(setting), *references.doubtful(setting)]
        if config.key_store is None and config.keys.named(setting.id) is not None:
            problems.append(f"`{setting.id}` is the id of another one")
        if len(msgspec.json.encode(entry)) > MOST_BYTES - ROOM_BYTES:
            problems.append(f"its text is longer than {MOST_BYTES - ROOM_BYTES} bytes")
    if problems:
        raise KeyChangeError("invalid", *problems)


def merged(key: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a key with those of `patch` (RFC 7396): None removes one, others take its place."""
    if own := sorted(_OWN & patch.keys()):
        raise KeyChangeError("invalid", *(f"{name}: it cannot be changed" for name in own))
    return {name: value for name, value in {**key, **patch}.items() if value is not None}


def with_members(
    key: Mapping[str, Any], added: Mapping[str, tuple[str, ...]], removed: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Return the fields of a key with values added to lists and removed from them, by `ListField.word`.

    Raises KeyChangeError for what makes no sense.
    """
    problems: list[str] = []
    changed = dict(key)
    for field in LISTS:
        values = list(changed.get(field.name) or ())
        problems += _apply(field, values, added.get(field.word, ()), removed.get(field.word, ()))
        changed |= {field.name: values or None}
    if problems:
        raise KeyChangeError("invalid", *problems)
    return merged(key, {field.name: changed[field.name] for field in LISTS})


def _apply(field: ListField, values: list[str], added: tuple[str, ...], removed: tuple[str, ...]) -> Iterator[str]:
    """Change `values`, and yield problems."""
    word = field.word
    if added and not values and word not in _FREE:
        yield f"--add-{word}: the key may use every {word} already"
        return
    for each in removed:
        if each in values:
            values.remove(each)
        else:
            yield f"--remove-{word} {each}: the key has {', '.join(values) or field.absent}"
    values += [each for each in added if each not in values]
    if removed and not values and field.required:
        yield f"--remove-{word}: the key would be left without any; disable or delete it instead"
