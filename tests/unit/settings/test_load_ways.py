"""settings/load.py: what is returned beside a configuration, and files with many keys."""

from pathlib import Path

import pytest

from gateway.settings import ConfigError, load
from gateway.settings.load import load_with_origins, load_with_warnings
from gateway.settings.origins import Origins
from tests.yaml_files import LEAST, complaints


def test_warnings_of_linting_are_returned(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(LEAST)
    config, warnings = load_with_warnings(
        tmp_path / "f.yaml", {}, lint=lambda context: context.warn("W001", ("version",), "an example")
    )
    assert config.version == 1
    assert [(warning.rule, warning.line) for warning in warnings] == [("W001", 1)]


def test_origins_and_more_checks_see_what_was_loaded(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(LEAST)
    seen: list[object] = []
    config, origins = load_with_origins(tmp_path / "f.yaml", {}, more_checks=seen.append)
    assert isinstance(origins, Origins)
    assert [getattr(context, "config", None) for context in seen] == [config]


def test_paths_of_certificates_are_relative_to_their_file() -> None:
    text = "server: {listeners: [{id: a, tls: {certificates: [{certificate: no.pem, private_key: no.key}]}}]}\n"
    assert [line.partition(": ")[2] for line in complaints(LEAST + text, directory=Path("/nowhere"))] == [
        "there is no readable file `/nowhere/no.pem`",
        "there is no readable file `/nowhere/no.key`",
    ]


def many_keys(*others: str) -> str:
    lines = [f"  - {{id: k{n}, secret_sha256: abcd{n:060x}}}\n" for n in range(500)]
    return LEAST + "keys:\n" + "".join([*lines, *(f"  - {other}\n" for other in others)])


def test_many_keys_that_are_alike_are_all_there(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(many_keys())
    assert [key.id for key in load(tmp_path / "f.yaml", {}).keys] == [f"k{n}" for n in range(500)]


def test_a_problem_among_many_keys_is_found_in_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(many_keys("{id: x, sekret_sha256: 1}"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "f.yaml", {})
    assert {problem.path.partition(".")[0] for problem in caught.value.problems} == {"keys[500]"}
