"""lint/fix.py: keys in another spelling are corrected, and nothing else."""

from pathlib import Path

from gateway.lint.fix import fix_keys
from gateway.settings import ConfigError, load
from gateway.settings.problems import Problem

TEXT = """\
version: 1
# firstByte stays here
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}], timeouts: {firstByte: 5s, "total": 9s, idle-timeout: 1s}}]
defaults: {envelope: {"max-buffer": 1MiB, Mode: wrap}}
routes: [{id: r, match: {prefix: /}, upstraem: u}]
"""


def problems_of(file: Path) -> tuple[Problem, ...]:
    try:
        load(file, {})
    except ConfigError as error:
        return error.problems
    return ()


def test_spellings_are_corrected(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_bytes(TEXT.encode())
    fixed = fix_keys(problems_of(file))
    assert [(each.line, each.before, each.after) for each in fixed] == [
        (3, "firstByte", "first_byte"),
        (4, "max-buffer", "max_buffer"),
        (4, "Mode", "mode"),
    ]
    assert str(fixed[0]) == f"{file}:3:72: fixed: `firstByte` is `first_byte` now"
    assert file.read_text() == TEXT.replace("{firstByte", "{first_byte").replace("max-buffer", "max_buffer").replace(
        "Mode", "mode"
    )
    left = problems_of(file)
    assert {each.text for each in left} == {"unknown key"}
    assert fix_keys(left) == []


def test_what_is_in_no_file_is_left_alone() -> None:
    assert fix_keys([Problem("<stdin>", 1, 1, "a", "unknown key", "did you mean `a`?")]) == []


def test_a_file_that_has_changed_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("version: 1\n")
    problems = [Problem(str(file), line, 1, "a", "unknown key", "did you mean `first_byte`?") for line in (1, 9)]
    assert fix_keys(problems) == []
    assert file.read_text() == "version: 1\n"
