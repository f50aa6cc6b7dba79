"""gateway keys import: imports keys from a file or from standard input into Redis."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from msgspec.structs import replace

from gateway.cli.diff import text as changes_text
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.commands import ask, config_option, yes_option
from gateway.cli.keys.import_sources import FORMS, ImportEntry, entries, form_of
from gateway.cli.keys.redis_registry import author_of, editing
from gateway.cli.tables import output_option, quiet_option, say
from gateway.kernel.key_format import is_misspelt
from gateway.key_management import secret
from gateway.key_management.description import instant_of
from gateway.key_management.differences import key_changes
from gateway.key_management.fields import ROOM_BYTES
from gateway.keystore.records import MOST_BYTES, Secret, StoredKey
from gateway.keystore.registry import DuplicateProofError, KeyRegistry
from gateway.settings import Config, load
from gateway.settings.checks.stored_keys import References, read_key
from gateway.settings.schema.values import RefusedError

_NO_PROOF = "missing: a `secret_sha256`, a `certificate_subject` or, from standard input, a `secret`"


class Candidate(NamedTuple):
    """A key that may be imported.

    `key` is an entry of `keys` without its digest; `digest` is None if it has no secret.
    """

    line: int
    key: dict[str, Any]
    digest: str | None


class ImportProblem(NamedTuple):
    """What is wrong with the entry in a line of the file, counted from 1."""

    line: int
    text: str


@click.command("import")
@click.argument("source", type=click.Path(allow_dash=True), metavar="SOURCE")
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", *FORMS]),
    default="auto",
    show_default=True,
    help="By name or content, or said.",
)
@click.option(
    "--replace", "replacing", is_flag=True, help="Take the place of keys of the same id; left out, those are errors."
)
@click.option("--dry-run", is_flag=True, help="Say what is wrong and what changes, and import nothing.")
@yes_option
@output_option
@quiet_option
def import_(
    source: str, file: Path, form: str, output: str, *, replacing: bool, dry_run: bool, yes: bool, quiet: bool
) -> None:
    """Import keys into Redis, all of them or none. SOURCE is a file, or - for standard input.

    YAML (`keys:` as in the configuration), JSON, JSON lines, or CSV with the names of the fields in its first line.
    From standard input an entry may have a `secret`, of whatever form, which is hashed at once. With --replace an entry
    without a secret keeps those that its key has; all else that it leaves out is dropped, so what becomes different for
    keys that are there is printed first, and asked for unless --yes is given.
    """
    with friendly_errors():
        config = load(file)
        text = _read(source)
    candidates: list[Candidate] = []
    problems: list[ImportProblem] = []
    for entry in entries(text, form_of(source, text) if form == "auto" else form):
        try:
            candidates.append(_candidate(entry, typed=source == "-"))
        except RefusedError as error:
            problems.append(ImportProblem(entry.line, str(error)))
    problems += _doubles(candidates)
    problems += _strangers(config, candidates)
    before: dict[str, StoredKey] = {}
    with editing(config) as registry:
        _keep(registry, candidates, problems, before, replacing=replacing, dry_run=True)
        _end_with(problems, source)
        found = key_changes(config, before.values(), _replaced(candidates, before)) if before else []
        is_asked_for = not (yes or dry_run)
        if found and (is_asked_for or (output == "text" and not quiet)):
            click.echo(changes_text(found), err=output == "json")
        if not dry_run:
            if found:
                ask("So it becomes for the keys that are there. Go on?", yes=yes)
            _keep(registry, candidates, problems, before, replacing=replacing, dry_run=False)
            _end_with(problems, source)
    replaced = len(before)
    done = "could be imported" if dry_run else "imported"
    summary = f"{len(candidates)} key{'' if len(candidates) == 1 else 's'} {done}"
    data = {
        "keys": len(candidates),
        "replaced": replaced,
        "imported": not dry_run,
        "changes": [msgspec.to_builtins(change) for change in found],
    }
    say(f"{summary}, {replaced} of them in place of others" if replaced else summary, data, output, quiet=quiet)


def _read(source: str) -> str:
    try:
        with click.open_file(source, encoding="utf-8-sig") as stream:
            return str(stream.read())
    except UnicodeDecodeError:
        raise click.ClickException(f"{source}: this is not UTF-8 text") from None


def _candidate(entry: ImportEntry, *, typed: bool) -> Candidate:
    """Return an entry as a candidate.

    Raises RefusedError. With `typed` the entry comes from standard input, and may have a plain secret.
    """
    if entry.problem:
        raise RefusedError(entry.problem)
    key = dict(entry.fields)
    plain = key.pop("secret", None)
    if plain is not None:
        if not typed:
            raise RefusedError("secret: a file would keep it; send it to standard input, or write `secret_sha256`")
        if "secret_sha256" in key:
            raise RefusedError("`secret` and `secret_sha256` do not go together")
        key["secret_sha256"] = _hashed(plain)
    read_key(key)
    if len(msgspec.json.encode(key)) > MOST_BYTES - ROOM_BYTES:
        raise RefusedError(
            f"its text is longer than {MOST_BYTES - ROOM_BYTES} bytes; patterns such as `orders.*` are shorter "
            "than lists"
        )
    return Candidate(entry.line, key, key.pop("secret_sha256", None))


def _hashed(plain: object) -> str:
    if not isinstance(plain, str) or not plain.isprintable() or plain != plain.strip() or not plain:
        raise RefusedError("secret: one line of text without spaces around it is wanted here; put it into quotes")
    if is_misspelt(plain):
        raise RefusedError("secret: it has the form of those that are made here, and its checksum is wrong")
    return secret.digest(plain)


def _doubles(candidates: list[Candidate]) -> Iterator[ImportProblem]:
    for what, of in (("id", "id"), ("secret", None), ("certificate", "certificate_subject")):
        seen: dict[Any, Candidate] = {}
        for each in candidates:
            value = each.digest if of is None else each.key.get(of)
            # Several may stand in one line.
            if value is not None and (first := seen.setdefault(value, each)) is not each:
                key = "another" if first.line == each.line else "the"
                yield ImportProblem(each.line, f"{key} key in line {first.line} has the same {what}")


def _strangers(config: Config, candidates: list[Candidate]) -> Iterator[ImportProblem]:
    references = References(config)
    for line, entry, _ in candidates:
        key = read_key(entry)
        for text in (*references.wrong(key), *references.doubtful(key)):
            yield ImportProblem(line, text)


def _end_with(problems: list[ImportProblem], source: str) -> None:
    """Print the problems and exit, if there are any."""
    if not problems:
        return
    for line, text in sorted(set(problems)):
        click.echo(f"{'<stdin>' if source == '-' else source}:{line}: error: {text}", err=True)
    sys.exit(1)


def _keep(
    registry: KeyRegistry,
    candidates: list[Candidate],
    problems: list[ImportProblem],
    before: dict[str, StoredKey],
    *,
    replacing: bool,
    dry_run: bool,
) -> None:
    """Write the keys, unless there are problems; append those that only Redis shows.

    A dry run writes nothing, and fills `before` with the keys that are there. Otherwise they still have to be the same.
    """
    now, lines = instant_of(registry.now_s()), {each.key["id"]: each.line for each in candidates}
    known = len(problems)

    def decide(there: dict[str, StoredKey]) -> Mapping[str, StoredKey | None]:
        after = {each.key["id"]: _stored(each, there.get(each.key["id"]), now) for each in candidates}
        without_proof = [key_id for key_id, stored in after.items() if not stored.entries()]
        problems[known:] = [ImportProblem(lines[key_id], _NO_PROOF) for key_id in without_proof]
        if not replacing:
            problems.extend(
                ImportProblem(lines[key_id], f"there is a key `{key_id}` already; --replace takes its place")
                for key_id in there
            )
        if not dry_run and there != before:
            raise click.ClickException("somebody else has just changed these keys; nothing was imported, try again")
        before.clear()
        before.update(there)
        return {} if problems or dry_run else after

    try:
        registry.change(lines, decide, author_of("import"))
    except DuplicateProofError as taken:
        problems.append(ImportProblem(lines[taken.key_id], str(taken)))


def _replaced(candidates: list[Candidate], before: dict[str, StoredKey]) -> list[StoredKey]:
    """Return what becomes of the keys that are there."""
    found = ((each, before.get(each.key["id"])) for each in candidates)
    return [_stored(each, there, there.created) for each, there in found if there is not None]


def _stored(candidate: Candidate, before: StoredKey | None, now: str) -> StoredKey:
    secrets = () if candidate.digest is None else (Secret(candidate.digest),)
    if before is None:
        return StoredKey(candidate.key, secrets, now)
    return replace(before, key=candidate.key, secrets=secrets or before.secrets)
