"""Reads a file into a `Config`, or reports all its problems."""

import contextlib
import gc
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from pydantic import ValidationError

from gateway.settings.checks.context import CheckContext
from gateway.settings.checks.prune import pruned
from gateway.settings.checks.pydantic_errors import explain
from gateway.settings.checks.semantics import check
from gateway.settings.document.includes import read_file, read_text
from gateway.settings.document.key_folding import Alike, with_alike
from gateway.settings.origins import Origins
from gateway.settings.positions import Items, SourceFile, Table
from gateway.settings.problem_list import ProblemList
from gateway.settings.problems import ConfigError, Problem
from gateway.settings.schema.config import Config

MoreChecks: TypeAlias = Callable[[CheckContext], None]
"""Checks what stands in other files that a configuration names, and reports what is wrong with it."""


def load(
    path: str | os.PathLike[str],
    environ: Mapping[str, str] | None = None,
    content: bytes | None = None,
    more_checks: MoreChecks | None = None,
) -> Config:
    """Return the configuration in a file. `environ` is what `${VAR}` refers to, None the environment of this process.

    `content` is what has been read already, from standard input for example; None: the file is read. `more_checks` look
    at other files that it names. Raises ConfigError with everything that is wrong.
    """
    return _load(path, environ, content, more_checks).config


def load_with_warnings(
    path: str | os.PathLike[str],
    environ: Mapping[str, str] | None = None,
    content: bytes | None = None,
    lint: Callable[[CheckContext], None] = lambda _: None,
    more_checks: MoreChecks | None = None,
) -> tuple[Config, tuple[Problem, ...]]:
    """Load as `load` does, and return the warnings, too. `lint` adds some to those that every loading finds.

    Of many keys that are alike, `lint` sees one.
    """
    loaded = _load(path, environ, content, more_checks)
    lint(loaded.context)
    return loaded.config, loaded.problem_list.warnings()


def load_with_origins(
    path: str | os.PathLike[str],
    environ: Mapping[str, str] | None = None,
    more_checks: MoreChecks | None = None,
) -> tuple[Config, Origins]:
    """Load as `load` does, and return the origins of the values, too."""
    loaded = _load(path, environ, None, more_checks)
    return loaded.config, Origins(loaded.root)


class _Loaded(NamedTuple):
    config: Config
    root: Table
    context: CheckContext
    problem_list: ProblemList


def _load(
    path: str | os.PathLike[str],
    environ: Mapping[str, str] | None,
    content: bytes | None,
    more_checks: MoreChecks | None,
) -> _Loaded:
    known = os.environ if environ is None else environ
    with _uncollected():
        reading = _Reading(os.fspath(path), known, content, more_checks)
        return _load_thinned(reading) or _read(reading, None)


class _Reading(NamedTuple):
    """What is read, as the functions for it have it."""

    name: str
    environ: Mapping[str, str]
    content: bytes | None
    more_checks: MoreChecks | None


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Disable the garbage collector while a file is read, which saves a sixth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _load_thinned(reading: _Reading) -> _Loaded | None:
    """Return the quick way for many keys; None where the other one has to be taken. Raises ConfigError."""
    groups: list[Alike] = []
    try:
        loaded = _read(reading, groups)
    except ConfigError:
        if groups:
            return None
        raise
    if not groups:
        return loaded
    keys = with_alike(loaded.config.keys, groups)
    return None if keys is None else loaded._replace(config=loaded.config.model_copy(update={"keys": keys}))


def _read(reading: _Reading, groups: list[Alike] | None) -> _Loaded:
    problem_list = ProblemList()
    root, whole = read_file(reading.name, reading.environ, problem_list, groups, reading.content)
    return _built(root, problem_list, whole=whole, more_checks=reading.more_checks)


def parse(
    text: str, name: str = "gateway.yaml", environ: Mapping[str, str] | None = None, directory: Path = Path()
) -> Config:
    """Return the configuration in a text; other files are not included. `environ` None is an empty environment.

    `directory` is what `${file:…}` and the paths of certificates are relative to. Raises ConfigError.
    """
    problem_list = ProblemList()
    root = read_text(SourceFile.of(name, text, directory), text, environ or {}, problem_list)
    return _built(root, problem_list, whole=True).config


def from_upstream(url: str, address: str = "127.0.0.1:8080") -> Config:
    """Return a gateway without a file: it listens on `address`, and every path goes to `url`, no key asked.

    Raises ConfigError.
    """
    listen, target = (json.dumps(value.replace("$", "$$")) for value in (address, url))
    text = f"""
        version: 1
        server: {{drain_delay: 0s, listeners: [{{id: public, address: {listen}}}]}}
        upstreams: [{{id: upstream, targets: [{{url: {target}}}]}}]
        routes: [{{id: all, match: {{prefix: /}}, upstream: upstream, auth: none}}]
    """
    try:
        return parse(text)
    except ConfigError as error:
        # There is no file to point into.
        raise ConfigError(
            [Problem("command line", 0, 0, "", problem.text, problem.hint) for problem in error.problems]
        ) from None


def _built(root: Any, problem_list: ProblemList, *, whole: bool, more_checks: MoreChecks | None = None) -> _Loaded:
    if not isinstance(root, Table):
        problem_list.raise_if_any()
        raise AssertionError("what cannot be read has a problem")
    _anchor_paths(root)
    try:
        context = CheckContext(Config.model_validate(root), root, {}, problem_list, whole=whole)
    except ValidationError as error:
        context = CheckContext(*pruned(root, explain(error, root, Config, problem_list)), problem_list, whole=whole)
    check(context)
    if more_checks is not None:
        more_checks(context)
    problem_list.raise_if_any()
    return _Loaded(context.config, root, context, problem_list)


def _anchor_paths(root: Table) -> None:
    """Paths of certificates, of documents and of a password are relative to the file they stand in."""
    _anchor(root.get("redis"), "password_file")
    for upstream in _tables(root.get("upstreams")):
        _anchor(upstream.get("tls"), "ca", "certificate", "private_key")
    for route in _tables(root.get("routes")):
        _anchor(route.get("request"), "openapi", "schema")
        _anchor(route.get("response"), "openapi")
    for listener in _tables(root["server"].get("listeners") if isinstance(root.get("server"), Table) else None):
        tls = listener.get("tls")
        _anchor(tls, "client_ca")
        for pair in _tables(tls.get("certificates") if isinstance(tls, Table) else None):
            _anchor(pair, "certificate", "private_key")


def _tables(written: object) -> list[Table]:
    return [entry for entry in written if isinstance(entry, Table)] if isinstance(written, Items) else []


def _anchor(table: object, *names: str) -> None:
    if not isinstance(table, Table):
        return
    for name in names:
        path = table.get(name)
        if isinstance(path, str) and path and "\n" not in path:
            table[name] = str(table.positions[name][1].source.directory / path)
