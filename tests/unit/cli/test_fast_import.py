"""cli/fast_import.py: what importing a command leaves behind is as it was."""

import gc
import ssl
import subprocess
import sys

from gateway.cli.fast_import import fast_imports


def test_meanwhile_nothing_is_collected_and_no_authority_is_read() -> None:
    make = ssl.create_default_context
    frozen = gc.get_freeze_count()
    with fast_imports():
        assert not gc.isenabled()
        assert ssl.create_default_context().get_ca_certs() == []
    assert gc.isenabled()
    assert ssl.create_default_context is make
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_a_command_that_cannot_be_imported_changes_nothing_either() -> None:
    make = ssl.create_default_context
    try:
        with fast_imports():
            raise ImportError
    except ImportError:
        pass
    assert gc.isenabled()
    assert ssl.create_default_context is make
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
