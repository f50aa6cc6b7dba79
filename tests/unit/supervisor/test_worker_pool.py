"""supervisor/worker_pool.py: what the journeys of whole gateways do not bring about."""

import subprocess
import sys
from pathlib import Path

from tests.gateway_process import configuration

PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.shared_memory import Region
from gateway.settings import load_with_origins
from gateway.supervisor.worker_pool import WorkerPool
from gateway.supervisor.listening_sockets import Sockets
from gateway.table.snapshot import compile_snapshot
from tests.fakes import until

async def main():
    config, origins = load_with_origins(Path(sys.argv[1]))
    sockets = Sockets({})
    sockets.provide(config.server.listeners, 1)
    pool = WorkerPool(sockets, NodeMetrics(Region.shared()), 10.0)
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, pool.reap)
    try:
        members = await pool.start_generation(compile_snapshot(config, origins, sys.argv[1]), 1)
        os.kill(members[0].pid, signal.SIGKILL)
        await members[0].exited
        await pool.switch_to(members, 0.0)
        await until(lambda: not pool.not_ready_reasons, 20)
        print(repr(pool))
    finally:
        for worker in pool.everybody:
            worker.replace = False
            worker.kill()

asyncio.run(main())
"""


def test_a_worker_that_ended_between_ready_and_serving_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(configuration(9))
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(file)], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines()[-1:] == ["<WorkerPool generation 1, 1/1 serving>"], done.stderr
