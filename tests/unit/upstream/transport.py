"""A transport for connections without a network."""

import socket


class RecordingTransport:
    """A transport that keeps what is written, and what it was asked to do. `other` is the far end of its socket."""

    def __init__(self) -> None:
        self.written = b""
        self.seen: list[str] = []
        self.protocol: object = None
        self.reading = True
        self._closing = False
        self._socket, self.other = socket.socketpair()

    def end(self) -> None:
        self._socket.close()
        self.other.close()

    def get_extra_info(self, name: str) -> object:
        return {"peername": ("10.0.0.1", 80), "socket": self._socket}.get(name)

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: object) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written += data

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False
        self.seen.append("pause")

    def resume_reading(self) -> None:
        self.reading = True
        self.seen.append("resume")

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        self.seen.append("close")

    def abort(self) -> None:
        self._closing = True
        self.seen.append("abort")
