"""Turns the answer of a backend into the reply that the contract promises.

Most answers are complete JSON texts with a status below 300, and their header fields came before: all but the body is
decided then. Others are decided by what is known first: status, media type, then whether the body is complete. Nothing
waits: a body too large to be held is a stream that is checked while it is read (`gateway.kernel.envelope.splice`).
"""

from collections.abc import Iterator

from gateway.exchange import Exchange, Reply
from gateway.kernel.copies import replace
from gateway.kernel.envelope.adopt import adopt, opening, probe
from gateway.kernel.envelope.charsets import BOM
from gateway.kernel.envelope.header_messages import notices
from gateway.kernel.envelope.media_type import (
    BINARY,
    JSON,
    Media,
    is_attachment,
    json_in_utf8,
    media,
    sniffed,
    wide_json_in_utf8,
)
from gateway.kernel.envelope.raw_json import WHITE, array, is_json
from gateway.kernel.envelope.splice import CheckedJson, Pass, QuotedText, Spliced, TranscodedJson, quoted_text
from gateway.kernel.envelope.write import EMPTY_RESULT, error, message_ids, success, success_head, success_tail
from gateway.kernel.errors.translate import Translation, code_of, generic, status_of, translate
from gateway.kernel.fault_types import UNDEFINED
from gateway.kernel.faults import UPSTREAM_PROTOCOL_ERROR, UPSTREAM_TYPE_REFUSED, GatewayError
from gateway.kernel.http.content_coding import decode, decoder, is_coded
from gateway.kernel.http.response_headers import LOCATION, Line, Screened, checked, replaced, screen
from gateway.kernel.http.status_rules import WITHOUT_BODY, completed, has_body
from gateway.table import Route
from gateway.table.public_urls import with_public_urls
from gateway.upstream.call import Answer, Stream

_WITH_RESULT = frozenset(range(200, 300)) - {204, 205, 206}
_PARTIAL = 206
_COPIED_BYTES = 64 * 1024
"""A result up to this size is copied into its envelope. A larger one is sent beside it without a copy."""
_UNTYPED = frozenset({"unknown", "octets"})
_OCTET_STREAM: Line = ("Content-Type", "application/octet-stream")
_OPENERS = frozenset({b"{", b"["})


def normalize(answer: Answer, x: Exchange, route: Route) -> Reply:
    """Return the reply for `answer`. For HEAD its `length` is None when the length of the reply to GET is not known.

    Raises GatewayError UPSTREAM_PROTOCOL_ERROR, UPSTREAM_BODY_INVALID, UPSTREAM_CODING_INVALID, UPSTREAM_BODY_TOO_LARGE
    or UPSTREAM_TYPE_REFUSED, and closes the stream of `answer` then.
    """
    caller, body = x.caller, answer.body
    if (
        (alike := route.response_rules.screened.get(id(answer.fields))) is not None
        and alike[0] is answer.fields
        and (text := alike[1].text)
        and answer.status in _WITH_RESULT
        and caller is not None
        and not caller.several
        and len(body) <= _COPIED_BYTES
        and (first := body[:1]) in _OPENERS
        and (probe(body) is False if first == b"{" and route.envelope.mode == "auto" else is_json(body))
    ):  # nearly every answer: all but its body was decided when these fields came first
        body, service_id = success(x.request_id, body), alike[1].request_id
        # by position, like the call: faster than by name
        return Reply(answer.status, [], body, 0, "upstream", None, b"", None, False, service_id, b"", text)  # noqa: FBT003
    try:
        return _by_type(answer, _screened(answer, x, route), x, route)
    except GatewayError:
        _drop(answer.stream)
        raise


def _screened(answer: Answer, x: Exchange, route: Route) -> Screened:
    screened = screen(answer.fields, route.response_rules, shared=answer.known)
    if screened.marks:
        answer.marks = screened.marks
        if screened.marks & LOCATION:
            origin, path = x.public_origin(), route.upstream_path(x.path)
            answer.fields = with_public_urls(answer.fields, route.url_mapping, origin, path)
            screened = screen(answer.fields, route.response_rules)
    return screened


def _by_type(answer: Answer, screened: Screened, x: Exchange, route: Route) -> Reply:
    status, kind = answer.status, media(screened.content_type)
    if not 200 <= status <= 599:
        raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause=f"status {status}")
    if route.envelope.mode == "passthrough":
        return _untouched(answer, screened, route)
    if kind is JSON and answer.stream is None and status in _WITH_RESULT and not screened.coding and x.method != "HEAD":
        return _json(answer, answer.body, screened, x, route)
    if status < 300 and kind.kind != "json" and is_attachment(answer.fields):
        kind = BINARY
    if not has_body(x.method, status):
        _drop(answer.stream)
        return _bodiless(answer, kind, screened, route)
    if status >= 400:
        return _error(answer, kind, screened, x, route)
    if status >= 300 and (kind.kind != "json" or answer.stream is not None):
        _drop(answer.stream)
        return _success(answer, EMPTY_RESULT, screened, x, route)
    if kind.kind == "events" or (status == _PARTIAL and screened.is_range):
        return _unwrapped(answer, screened, route)
    if kind.kind == "binary":
        return _binary(answer, screened, route)
    if answer.stream is not None:
        return _streamed(answer, answer.stream, kind, screened, x, route)
    body = decode(answer.body, screened.coding, route.envelope.max_buffer) if is_coded(screened.coding) else answer.body
    if kind.kind in _UNTYPED:
        kind = sniffed(body, kind)
    if kind.kind == "json":
        return _json(answer, body if kind is JSON else json_in_utf8(body, kind.charset), screened, x, route)
    if kind.kind == "binary":
        return _binary(answer, screened, route)
    return _success(answer, quoted_text(body, kind.charset) or EMPTY_RESULT, screened, x, route)


def _json(answer: Answer, body: bytes, screened: Screened, x: Exchange, route: Route) -> Reply:
    """Return the reply for a complete body that must be JSON, with a status below 400."""
    text, first = body, body[:1]
    if first not in _OPENERS:
        text = body.strip(WHITE)
        if text.startswith(BOM):
            text = text[len(BOM) :].strip(WHITE)
        first = text[:1]
    if first == b"{" and route.envelope.mode == "auto":
        envelope = route.envelope.checked_texts.probe(text)
        if envelope is None:
            return _json(answer, wide_json_in_utf8(body), screened, x, route)
        if envelope:
            reply = _adopted(answer, text, screened, x, route)
            if reply is not None:
                return reply
    elif not text or text == b"null":
        text = EMPTY_RESULT
    elif not route.envelope.checked_texts.is_json(text):
        return _json(answer, wide_json_in_utf8(body), screened, x, route)
    return _success(answer, text, screened, x, route)


def _success(answer: Answer, result: bytes, screened: Screened, x: Exchange, route: Route) -> Reply:
    messages = array(notices(answer.fields, message_ids(x.request_id))) if screened.notices else b""
    lines = _lines(screened, route) if screened.of_the_body or route.response_set else [*screened.lines]
    reply = Reply(answer.status, lines, b"", source="upstream", upstream_request_id=screened.request_id)
    if len(result) > _COPIED_BYTES:
        reply.body, reply.content, reply.tail = success_head(x.request_id), result, success_tail(messages)
        reply.length = len(reply.body) + len(result) + len(reply.tail)
    else:
        reply.body = success(x.request_id, result, messages)
    return reply


def _adopted(answer: Answer, text: bytes, screened: Screened, x: Exchange, route: Route) -> Reply | None:
    """Return the reply for a body that is an envelope already, or None when it turns out not to be one."""
    new_id = message_ids(x.request_id)
    announced = notices(answer.fields, new_id) if screened.notices else []
    adopted = adopt(text, x.request_id, answer.status, route.family, announced, new_id)
    if adopted is None:
        return None
    lines, service_id = _lines(screened, route), adopted.request_id or screened.request_id
    if adopted.status >= 400:
        lines = completed(lines, adopted.status, route.methods)
    return Reply(adopted.status, lines, adopted.body, adopted.code, "upstream", upstream_request_id=service_id)


def _error(answer: Answer, kind: Media, screened: Screened, x: Exchange, route: Route) -> Reply:
    """Return the reply for a status of 400 or more. A body that cannot be read is ignored."""
    translation = generic(answer.status, route.family)
    body = _readable(answer, screened, route)
    if body and route.envelope.mode == "auto":
        text = json_in_utf8(body, kind.charset).strip(WHITE)
        if text[:1] == b"{" and probe(text):
            reply = _adopted(answer, text, screened, x, route)
            if reply is not None:
                return reply
    if body:
        translation = translate(answer.status, screened.content_type, body, route.family)
    return _error_reply(answer.status, translation, screened, x, route)


def _error_reply(status: int, translation: Translation, screened: Screened, x: Exchange, route: Route) -> Reply:
    lines = completed(_lines(screened, route), status, route.methods)
    code, texts = translation.code, (translation.message, translation.developer_message)
    body = error(x.request_id, code, *texts, translation.links, translation.details)
    return Reply(status, lines, body, code, "upstream", upstream_request_id=screened.request_id)


def _readable(answer: Answer, screened: Screened, route: Route) -> bytes:
    """Return the decoded body of an error, or b"" when it is not complete or cannot be decoded."""
    if answer.stream is not None:
        _drop(answer.stream)
        return b""
    if not is_coded(screened.coding):
        return answer.body
    try:
        return decode(answer.body, screened.coding, route.envelope.max_buffer)
    except GatewayError:
        return b""


def _bodiless(answer: Answer, kind: Media, screened: Screened, route: Route) -> Reply:
    """Return the reply to HEAD, or the one for a status that allows no body (rule 5 of the contract)."""
    status = answer.status
    if status in WITHOUT_BODY:
        return _upstream(status, _lines(screened, route)[1:], screened, length=0)
    if status >= 400:
        reply = _upstream(status, completed(_lines(screened, route), status, route.methods), screened)
        reply.code = code_of(status, route.family)
        return reply
    if status < 300:
        if kind.kind == "events" or (status == _PARTIAL and screened.is_range):
            return _unwrapped(answer, screened, route)
        if kind.kind == "binary" or (kind.kind == "octets" and route.envelope.binary == "passthrough"):
            return _binary(answer, screened, route)
    return _upstream(status, _lines(screened, route), screened)


def _streamed(answer: Answer, stream: Stream, kind: Media, screened: Screened, x: Exchange, route: Route) -> Reply:
    """Return the reply for a success that is too large to hold. Its first part is checked before the status is sent."""
    inflater = decoder(screened.coding) if is_coded(screened.coding) else None
    pieces: Iterator[bytes] = iter(()) if inflater is None else inflater.feed(answer.body)
    first = answer.body if inflater is None else next(pieces, b"")
    if kind.kind in _UNTYPED:
        kind = sniffed(first, kind, whole=False)
    if kind.kind == "binary":
        return _binary(answer, screened, route)
    is_a_json = kind.kind == "json"
    transform: Pass = (
        QuotedText(kind.charset) if not is_a_json else CheckedJson() if kind is JSON else TranscodedJson(kind.charset)
    )
    started = transform.feed(first.removeprefix(BOM) if kind is JSON else first)
    envelope = opening(started) if is_a_json and route.envelope.mode == "auto" else None
    service_id = screened.request_id
    if envelope is None:
        messages = array(notices(answer.fields, message_ids(x.request_id))) if screened.notices else b""
        head = success_head(x.request_id) + (started if is_a_json else b'"' + started)
        tail = success_tail(messages)
    elif envelope.success:
        service_id = envelope.request_id or service_id
        head, tail = b'%b"%b"%b' % (started[: envelope.start], x.request_id.encode(), started[envelope.end :]), b""
    else:
        _drop(stream)
        status = status_of(UNDEFINED)
        return _error_reply(status, generic(status, route.family), screened, x, route)
    length = None
    if inflater is None and kind is JSON and answer.length is not None:
        length = len(head) - len(first) + answer.length + len(tail)
    spliced, lines = Spliced(stream, inflater, pieces, transform), _lines(screened, route)
    return Reply(answer.status, lines, head, 0, "upstream", spliced, tail, length, upstream_request_id=service_id)


def _binary(answer: Answer, screened: Screened, route: Route) -> Reply:
    """Return the reply for a success that is neither JSON nor plain text."""
    if route.envelope.binary == "refuse":
        raise GatewayError(UPSTREAM_TYPE_REFUSED, cause=screened.content_type.decode("latin-1")[:100])
    return _unwrapped(answer, screened, route)


def _unwrapped(answer: Answer, screened: Screened, route: Route) -> Reply:
    """Return the reply for a success without an envelope. `prepare` removes Range fields, so no ranges are offered."""
    of_the_body = [line for line in screened.of_the_body if line[0] != "Accept-Ranges"]
    reply = _untouched(answer, replace(screened, of_the_body=of_the_body), route)
    if not screened.content_type:
        reply.fields.insert(0, _OCTET_STREAM)
    return reply


def _untouched(answer: Answer, screened: Screened, route: Route) -> Reply:
    """Return the reply with the status and the body of the answer."""
    about = [("Content-Type", screened.content_type), ("Content-Encoding", screened.coding)]
    lines = [(name, checked(value)) for name, value in about if value] + screened.of_the_body + screened.lines[1:]
    if route.response_set:
        lines = replaced(lines, route.response_set)
    code = code_of(answer.status, route.family) if answer.status >= 400 else 0
    reply = Reply(answer.status, lines, answer.body, code, "upstream", answer.stream, length=answer.length)
    reply.upstream_request_id = screened.request_id
    return reply


def _upstream(status: int, lines: list[Line], screened: Screened, length: int | None = None) -> Reply:
    """Return a reply without a body."""
    return Reply(status, lines, b"", source="upstream", length=length, upstream_request_id=screened.request_id)


def _lines(screened: Screened, route: Route) -> list[Line]:
    """Return the header fields of an envelope, Content-Type first."""
    lines = screened.lines + [
        (name, route.entity_tags.weakened(value)) for name, value in screened.of_the_body if name == "ETag"
    ]
    if route.response_set:
        lines = replaced(lines, tuple(line for line in route.response_set if line[0].lower() != "content-type"))
    return lines


def _drop(stream: Stream | None) -> None:
    if stream is not None:
        stream.close()
