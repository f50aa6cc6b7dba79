"""Configurations for tests: the least that is valid, and what is said about one that is not."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from gateway.settings import ConfigError, parse

LEAST = """\
version: 1
upstreams: [{id: service, targets: [{url: "http://127.0.0.1:3000"}]}]
routes: [{id: all, match: {prefix: /}, upstream: service}]
"""
"""Three lines; a test adds its own from line 4 on."""

DIGEST = "5139e9b7609476d6aeb37b840f9d44160ea0a1d7b1fedf6c3ccf860a530bb828"


def refusal(text: str, environ: Mapping[str, str] | None = None, directory: Path = Path()) -> ConfigError:
    """The error that a text is refused with."""
    with pytest.raises(ConfigError) as caught:
        parse(dedent(text), "f", environ, directory)
    return caught.value


def complaints(text: str, environ: Mapping[str, str] | None = None, directory: Path = Path()) -> list[str]:
    """`line:column path: text; hint` of every problem of a text."""
    return [
        str(problem).removeprefix("f:").replace(": error: ", " ", 1)
        for problem in refusal(text, environ, directory).problems
    ]


def added(text: str, environ: Mapping[str, str] | None = None, directory: Path = Path()) -> list[str]:
    """The complaints about lines that are added to the least configuration; they begin with line 4."""
    return complaints(LEAST + dedent(text), environ, directory)
