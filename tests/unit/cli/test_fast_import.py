"""cli/fast_import.py: what importing a command leaves behind is as it was."""

import gc
import ssl
import subprocess
import sys

from gateway.cli.fast_import import fast_imports

READ_AUTHORITIES = ssl.SSLContext.set_default_verify_paths


def test_meanwhile_nothing_is_collected_and_no_authority_is_read() -> None:
    frozen = gc.get_freeze_count()
    with fast_imports():
        assert not gc.isenabled()
        assert ssl.create_default_context().cert_store_stats()["x509"] == 0
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_default_verify_paths()
    assert gc.isenabled()
    assert ssl.SSLContext.set_default_verify_paths is READ_AUTHORITIES
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_a_command_that_cannot_be_imported_changes_nothing_either() -> None:
    try:
        with fast_imports():
            raise ImportError
    except ImportError:
        pass
    assert gc.isenabled()
    assert ssl.SSLContext.set_default_verify_paths is READ_AUTHORITIES
    gc.unfreeze()


def test_the_client_of_redis_imports_no_telemetry_and_who_wants_it_finds_it() -> None:
    program = """
import sys
from gateway.cli.fast_import import TELEMETRY, fast_imports
with fast_imports():
    import redis.asyncio
assert not [name for name in sys.modules if name.partition(".")[0] == TELEMETRY]
import opentelemetry.trace
with fast_imports():
    import opentelemetry.trace
assert TELEMETRY in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_no_traceback_shows_the_values_of_variables_and_who_draws_can() -> None:
    program = """
import sys
from gateway.cli.fast_import import fast_imports
with fast_imports():
    import structlog
assert "rich" not in sys.modules
secret = "-".join(["never", "shown"])
try:
    raise ValueError("shown")
except ValueError as error:
    structlog.get_logger().error("bug", exc_info=error)
with fast_imports(draws=True):
    import rich.table
"""
    printed = subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60)
    assert "ValueError: shown" in printed
    assert "never-shown" not in printed
