"""Every package can be imported alone. So can its modules: test_import_circles finds none that would hinder them."""

import os
import subprocess
import sys

from tests.architecture.files import ROOT, module_name, sources

IMPORT_EACH_ALONE = """
import os, sys, traceback
import aiohttp.web, click, hiredis, httptools, msgspec, prometheus_client, pydantic, redis.asyncio, structlog, uvloop, yaml
failed = 0
for name in sys.argv[1:]:
    # A child begins with the libraries, which take seconds to import, and with nothing of the gateway.
    child = os.fork()
    if not child:
        try:
            __import__(name)
        except BaseException:
            print(name, file=sys.stderr)
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    failed |= os.waitpid(child, 0)[1]
sys.exit(bool(failed))
"""

HEAVY = {
    "aiohttp",
    "asyncio",
    "hiredis",
    "msgspec",
    "prometheus_client",
    "pydantic",
    "redis",
    "structlog",
    "uvloop",
    "yaml",
}


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


def test_every_package_is_importable_alone() -> None:
    names = [module_name(path) for path in sources("gateway") if path.stem == "__init__"]
    assert names
    done = _python("-c", IMPORT_EACH_ALONE, *names)
    assert done.returncode == 0, done.stderr


def test_help_completion_and_healthcheck_import_nothing_heavy() -> None:
    for module in ("gateway.cli", "gateway.cli.healthcheck", "gateway.cli.reload", "gateway.cli.completion"):
        done = _python("-c", f"import {module}, sys; print(*sorted(name for name in sys.modules if '.' not in name))")
        assert done.returncode == 0, done.stderr
        assert not HEAVY & set(done.stdout.split()), module


def test_a_gateway_without_tls_and_traces_imports_neither_a_reader_of_certificates_nor_an_exporter() -> None:
    done = _python("-c", "import gateway.supervisor, gateway.worker.worker, sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not {"gateway.net.certificates", "gateway.tracing.otlp"} & set(done.stdout.split())
