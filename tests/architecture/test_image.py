"""The image of deploy/Dockerfile, by its text: there is no engine here that would build it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from gateway.system.compiled import default_folder
from tests.architecture.files import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def _instructions() -> list[tuple[str, str]]:
    """Each instruction and what follows it, lines that go on joined."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def _last_stage() -> list[tuple[str, str]]:
    found = _instructions()
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_hadolint_has_no_findings() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), DOCKERFILE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_stage_begins_with_the_one_image_that_is_pinned() -> None:
    stages: set[str] = set()
    for name, rest in _instructions():
        if name == "FROM":
            image, _, stage = rest.partition(" AS ")
            assert image in stages or re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image), rest
            stages.add(stage)
    assert sum("@sha256:" in rest for _, rest in _instructions()) == 1


def test_a_build_stops_when_the_interpreter_was_built_without_pgo_or_lto() -> None:
    (check,) = [rest for name, rest in _instructions() if name == "RUN" and "CONFIG_ARGS" in rest]
    python, option, code = shlex.split(check)[:3]
    assert (python, option) == ("python", "-c")
    for used, good in (("'--enable-optimizations' '--with-lto'", True), ("'--with-lto'", False), ("", False)):
        done = subprocess.run(
            [sys.executable, option, code.replace("sysconfig.get_config_var('CONFIG_ARGS')", repr(used))],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode == 0) is good, used


def test_what_is_installed_is_pinned_by_hash_and_left_as_it_is() -> None:
    for name, rest in _instructions():
        for command in rest.split(" && ") if name == "RUN" else ():
            if command.startswith("apt-get install "):
                packages = [word for word in shlex.split(command)[2:] if not word.startswith("-")]
                assert packages
                assert all("=" in package for package in packages), command
            elif " install " in command:
                assert command.endswith(" .") or {"--require-hashes", "--no-deps"} <= set(command.split()), command


def test_the_build_gets_every_file_that_it_copies() -> None:
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    for name, rest in _instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *wanted, _ = rest.split()
            assert all(f"!{path}" in let_in and (ROOT / path).exists() for path in wanted), rest


def test_the_modules_are_compiled_by_the_interpreter_that_runs_them_for_where_it_looks() -> None:
    (command,) = [rest for name, rest in _instructions() if name == "RUN" and "deploy/compile.py" in rest]
    variable, python, script = shlex.split(command)  # no FOLDER: the one of the environment
    (tools,) = re.findall(r"--requirement deploy/compile\.lock --target (\S+)", DOCKERFILE.read_text())
    assert (variable, script) == (f"PYTHONPATH={tools}", "deploy/compile.py")
    environment = python.removesuffix("/bin/python")
    assert default_folder().is_relative_to(sys.prefix)
    assert ("COPY", f"--from=build {environment} {environment}") in _last_stage()
    assert ("ENV", f"PATH={environment}/bin:$PATH") in _last_stage()
    assert not tools.startswith(environment)


def test_the_image_has_no_compiler_and_no_package_of_those_that_compile() -> None:
    build, *_, last = DOCKERFILE.read_text().split("\nFROM ")[2:]
    assert "gcc" in build
    assert "apt-get" not in last
    assert "compile" not in last


def test_the_image_has_a_list_of_its_packages_and_not_the_tool_that_wrote_it() -> None:
    (written,) = re.findall(r"--output-file (\S+)", DOCKERFILE.read_text())
    assert ("COPY", f"--from=sbom {written} /usr/share/sbom/gateway.cdx.json") in _last_stage()
    assert not any(name == "RUN" for name, _ in _last_stage())
    assert [rest for name, rest in _last_stage() if name == "COPY"] == [
        "--from=build /opt/gateway /opt/gateway",
        f"--from=sbom {written} /usr/share/sbom/gateway.cdx.json",
    ]


def test_the_image_runs_as_a_numbered_user_and_says_whether_it_is_healthy() -> None:
    stage = dict(_last_stage())
    assert stage["USER"] == "10001:10001"
    assert stage["HEALTHCHECK"].endswith('CMD ["gateway", "healthcheck"]')
    assert CliRunner().invoke(main, ["healthcheck", "--help"]).exit_code == 0
