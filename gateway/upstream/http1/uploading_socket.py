"""The socket of one upstream connection that sends bodies which do not fit into the write of the head."""

import asyncio

from gateway.upstream.call import Call
from gateway.upstream.http1.connection_socket import ConnectionSocket
from gateway.upstream.http1.framing import NEVER_AMBIGUOUS, Origin, request_head
from gateway.upstream.http1.request_body import PIECE_BYTES, BodyPieces, BodySource, upload
from gateway.upstream.http1.response_parser import ResponseParser


class UploadingSocket(ConnectionSocket):
    """Sends a body in a task of its own, while the reply may arrive already.

    `_upload` is that task, None when there is none. `_ambiguous_from` is the lowest status from which on it is unknown
    whether the service has read exactly the request, after which the connection can serve no other call: 0 once a body
    was stopped before its end.
    """

    _reply: ResponseParser
    """The reply of the connection, set when it is made."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._upload: asyncio.Task[None] | None = None
        self._ambiguous_from = NEVER_AMBIGUOUS

    def fail(self, error: Exception) -> None:
        """Close the socket at once. A call in flight fails with `error`."""
        raise NotImplementedError

    def _start_upload(self, call: Call, origin: Origin, first: bytes) -> None:
        """Send `call`. `first` is the piece that was already read of its Body."""
        body = call.body
        source: BodySource = BodyPieces(body) if isinstance(body, bytes) else body
        head = request_head(call, origin, source.length)
        begun = body[:PIECE_BYTES] if isinstance(body, bytes) else first
        self._deadline.sending(call)
        self._upload = self._loop.create_task(upload(head, begun, source, self, self._upload_ended))

    def _upload_ended(self, error: Exception | None) -> None:
        if self._upload is None:
            return  # it was stopped
        self._upload = None
        if error is not None:
            self.fail(error)
        elif self.closed is None:
            self._deadline.all_sent(answered=self._reply.status > 0)

    def _head_arrived(self) -> None:
        """Act on the final head of the reply, which has arrived while the request may still be sent."""
        if self._upload is None:
            self._deadline.head_arrived()
        elif self._reply.status >= 300:
            # The service will not read the rest (RFC 9112 9.3). Below 300 it may answer while it still reads.
            self._stop_upload()
            self._deadline.all_sent(answered=True)

    def _stop_upload(self) -> None:
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
            self._ambiguous_from = 0
