"""A backend in a process of its own, which can be killed as machines and processes are.

It answers 200 with `{"port": …}` to everything, and the status that was last asked for by `/be/STATUS` to `/healthz`.
"""

import subprocess
import sys
from types import TracebackType
from typing import Self
from urllib.request import urlopen

_PROGRAM = """
import asyncio, sys

async def serve(reader, writer):
    global health
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            path = head.split(b" ")[1]
            if path.startswith(b"/be/"):
                health = path.rpartition(b"/")[2]
            for line in head.lower().split(b"\\r\\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line.split(b":")[1]))
            status = health if path == b"/healthz" else b"200"
            body = b'{"port": %d}' % port
            head = b"HTTP/1.1 %b Said\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % (status, len(body))
            writer.write(head + body)
            await writer.drain()
    except (OSError, EOFError):
        writer.close()

async def main():
    global port
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024, reuse_address=True)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    await server.serve_forever()

health = b"200"
asyncio.run(main())
"""


class TargetProcess:
    """Serves while it is entered, but for the time between `kill` and `start`."""

    def __init__(self) -> None:
        self.port = 0

    def start(self) -> None:
        """Serve, on the port that it had before if it had one."""
        self._process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(self.port)], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def be(self, status: int) -> None:
        """Answer `/healthz` with it from now on."""
        with urlopen(f"{self.url}/be/{status}", timeout=10):
            pass

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
