"""One direction of a tunnel: bytes go through untouched, and a Close frame of the gateway may be put behind a frame.

Law: frames may be so small that following them takes longer than passing them on. Of a piece with many of them the rest
waits for the next turn of its sender, who is not read from meanwhile.
"""

from collections.abc import Callable

from gateway.kernel.websocket import FrameTracker

FRAMES_AT_ONCE = 4000
"""So many frames of one piece are passed on before other connections have their turn: one may have two bytes only."""


class Direction:
    """Passes bytes on through `write`, until `close` puts `last_frame` behind the frame under way.

    `held` is what waits for the next turn of its sender.
    """

    __slots__ = ("_closing", "_last_frame", "_over", "_write", "frames", "held", "passed_bytes")

    def __init__(self, write: Callable[[bytes], None], last_frame: bytes) -> None:
        self._write = write
        self._last_frame = last_frame
        self._closing = self._over = False
        self.held = b""
        self.frames = FrameTracker()
        self.passed_bytes = 0

    def pass_on(self, data: bytes) -> bool:
        """Write `data`, or what of it belongs before the last frame.

        Return whether the sender has to wait for its next turn, which is `go_on`. Not if it does already.
        """
        if self.held:
            self.held += data
            return False
        last = self.frames.begun + FRAMES_AT_ONCE
        end = self.frames.follow(data, to_boundary=self._closing and not self._over, most_frames=FRAMES_AT_ONCE)
        if not self._over:
            self._pass(data if end == len(data) else data[:end])
        if not self._closing or self._over:
            self.held = data[end:]
        elif self.frames.at_boundary:
            self._finish()
            self.frames.follow(data[end:])
        return self.frames.begun >= last

    def go_on(self) -> bool:
        """Pass on what waits, as `pass_on` does."""
        held, self.held = self.held, b""
        return self.pass_on(held)

    def end(self) -> None:
        """Write what waits, and nothing more."""
        held, self.held = self.held, b""
        if not self._closing:
            self._pass(held)
        self._write = _discard  # what writes refers to this, and must not for ever

    def close(self) -> None:
        """Send the last frame as soon as a frame has ended, unless the peers have closed this direction themselves."""
        if self.frames.closed or self._closing:
            return
        self._closing = True
        if self.frames.at_boundary:
            self._finish()

    def _pass(self, data: bytes) -> None:
        self.passed_bytes += len(data)
        if data:
            self._write(data)

    def _finish(self) -> None:
        self._over = True
        self._write(self._last_frame)


def _discard(_: bytes) -> None:
    """Take the place of what has written."""
