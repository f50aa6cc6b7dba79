"""Modules that were compiled to machine code by `deploy/compile.py`, in place of their sources.

A process that serves imports them, where they were made of the sources that are here and for the Python that runs. All
other processes, and all tests within one process, run the sources. `GATEWAY_COMPILED` in the environment is the folder
that they are in; empty, nothing is taken from anywhere.
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

VARIABLE = "GATEWAY_COMPILED"
SOURCES = "sources.json"
"""Says what the modules of a folder were made of: the SHA-256 of each module of the gateway, by its name.

Of each, because their code follows from types and constants of modules that are not compiled, too.
"""
LIBRARY = "gateway__mypyc"
"""All of their code, which each of the modules imports."""


def default_folder() -> Path:
    """Return the folder for the environment of the Python that runs, whether there is one or not."""
    return Path(sys.prefix) / "lib" / "gateway-compiled" / str(sys.implementation.cache_tag)


def use_compiled_modules(environ: Mapping[str, str]) -> bool:
    """Import the compiled modules from now on. Return whether they are in use.

    They are not where there are none, or none that were made of the sources that are here, or where one of the sources
    was imported already: all of them are used or none.
    """
    where = environ.get(VARIABLE)
    if where == "":
        return False
    folder = default_folder() if where is None else Path(where)
    names = modules_in(folder)
    if not names or not names.isdisjoint(sys.modules):
        return in_use()
    finder = _Finder(folder, names | {LIBRARY})
    sys.meta_path.insert(0, finder)
    try:
        import_module(LIBRARY)
    except ImportError:  # made for another machine, or being replaced at this moment
        sys.meta_path.remove(finder)
    return in_use()


def in_use() -> bool:
    """Return whether this process runs them."""
    return LIBRARY in sys.modules


def modules_in(folder: Path) -> set[str]:
    """Return the names of the modules in `folder`, none unless all were made of the sources that are here."""
    try:
        made_of: dict[str, str] = json.loads((folder / SOURCES).read_bytes())
    except (OSError, ValueError):
        return set()
    if any(digest(name) != made for name, made in made_of.items()):
        return set()
    return {library.stem for library in folder.glob("*.so")} - {LIBRARY}


def digest(name: str) -> str:
    """Return the SHA-256 of the source of a module, "" if there is none. That of a package is its `__init__`."""
    root = Path(__file__).parent.parent.parent
    try:
        return hashlib.sha256(root.joinpath(*name.split(".")).with_suffix(".py").read_bytes()).hexdigest()
    except OSError:
        return ""


class _Finder(MetaPathFinder):
    """Finds the modules of `names` in `folder`."""

    def __init__(self, folder: Path, names: set[str]) -> None:
        self._folder = folder
        self._names = names

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  the signature of a finder
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """See `MetaPathFinder`. None for the modules that are not compiled."""
        if fullname not in self._names:
            return None
        file = str(self._folder / f"{fullname}.so")
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, file))
