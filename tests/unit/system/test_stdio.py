import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from gateway.system.stdio import open_missing_streams

for fd in {closed}:
    os.close(fd)
    setattr(sys, ("stdin", "stdout", "stderr")[fd], None)
before = os.stat({kept}).st_ino
open_missing_streams()
assert all(os.readlink(f"/proc/self/fd/{{fd}}") == "/dev/null" and os.get_inheritable(fd) for fd in {closed})
assert os.stat({kept}).st_ino == before
assert os.open("/dev/null", os.O_RDONLY) > 2
print("lost or not")
sys.stderr.write("lost or not")
sys.stdin.read()
os.write(int(sys.argv[1]), b"done")
"""


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_closed_streams_become_dev_null_and_open_ones_stay(
    closed: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    output = tmp_path_factory.mktemp("output") / "output"
    with output.open("wb") as file:
        program = PROGRAM.format(closed=closed, kept=f"'/proc/self/fd/{min({0, 1, 2, file.fileno()} - {*closed})}'")
        done = subprocess.run(
            [sys.executable, "-c", program, str(file.fileno())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=[file.fileno()],
            timeout=30,
        )
    assert (done.returncode, output.read_bytes()) == (0, b"done"), done.stderr
