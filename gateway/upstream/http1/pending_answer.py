"""The answer to a call that was sent, which its caller awaits."""

from asyncio import CancelledError
from collections.abc import Awaitable, Generator
from typing import Any, Protocol

from gateway.kernel.faults import GatewayError
from gateway.kernel.struct_attributes import set_as_slots
from gateway.net.waiter import Waiter
from gateway.upstream.call import Answer, Call


class AnsweringConnection(Protocol):
    """The connection that a call was sent on."""

    def given_up(self, pending: "PendingAnswer") -> None:
        """Note that the caller no longer waits for the answer."""
        ...

    def send_again(self, pending: "PendingAnswer") -> Awaitable[Answer] | None:
        """Send a call that has failed on another connection, if that is allowed. Return its answer, or None."""
        ...


@set_as_slots
class PendingAnswer(Waiter[Answer]):
    """The answer to `call`, which `connection` has sent at `sent_at`, a reading of the pool's clock.

    Whoever gets one awaits it at once: only that gives the call up when its caller is cancelled, and sends it again
    where it may be.
    """

    call: Call
    connection: AnsweringConnection
    sent_at: float

    def __await__(self) -> Generator[Any, Any, Answer]:
        """Wait for the answer. Raises GatewayError when there is none. Cancelling this closes the connection."""
        call = self.call
        try:
            if not self.done:  # what `Waiter.__await__` does, without a second generator for each call
                self._asyncio_future_blocking = True
                yield self
            answer: Answer = self.value if self.error is None else self.result()  # type: ignore[assignment]  # it is set
        except CancelledError:
            self.connection.given_up(self)
            raise
        except GatewayError:
            again = self.connection.send_again(self)
            if again is None:
                raise
        else:
            if call.body:
                call.body = b""  # it is not sent again, and a slow client must not keep it in memory
            return answer
        answer = yield from again.__await__()
        call.body = b""
        return answer

    def cancel(self, msg: object = None) -> bool:
        """Do what `Waiter.cancel` does, after the call was given up: its reply belongs to no other caller."""
        if self.done:
            return False
        self.connection.given_up(self)
        return super().cancel(msg)
