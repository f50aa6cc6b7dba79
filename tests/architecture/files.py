"""What belongs to the repository: its files, less what tools leave behind."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LEFT_BEHIND = {".git", "build", "dist", "__pycache__", ".hypothesis", "node_modules"}


def _kept(name: str) -> bool:
    return not (
        name in _LEFT_BEHIND
        or name.endswith((".egg-info", "_cache", ".pyc"))
        or name.startswith((".venv", ".coverage"))
    )


def all_files() -> list[Path]:
    """Relative to `ROOT`, in order."""
    found: list[Path] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = filter(_kept, folders)
        found += [(Path(folder) / name).relative_to(ROOT) for name in files if _kept(name)]
    return sorted(found)


def sources(top: str) -> list[Path]:
    return [path for path in all_files() if path.parts[0] == top and path.suffix == ".py"]


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
