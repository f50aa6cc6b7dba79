"""Hostile framing: Content-Length, Transfer-Encoding, chunks and trailers."""

from tests.contracts.hostile import BODY_BYTES, MARK, SMUGGLED, Variant, chunked, get, post

HELLO = ("POST /v1/t hello",)
CHUNKED_HELLO = b"5\r\nhello\r\n0\r\n\r\n"

CODINGS: dict[bytes, str] = {
    b"Transfer-Encoding: chunked": "200",
    b"transfer-encoding: chunked": "200",
    b"TRANSFER-ENCODING: CHUNKED": "200",
    b"Transfer-Encoding:chunked": "200",
    b"Transfer-Encoding:  chunked  ": "200",
    b"Transfer-Encoding:\tchunked": "200",
    b"Transfer-Encoding: chunked\t": "200|400|501",
    b"Transfer-Encoding : chunked": "400",
    b"Transfer-Encoding\t: chunked": "400",
    b"Transfer-Encoding\x0b: chunked": "400",
    b"Transfer-Encoding\x00: chunked": "400",
    b" Transfer-Encoding: chunked": "400",
    b"X: y\r\n Transfer-Encoding: chunked": "400",
    b"X: y\nTransfer-Encoding: chunked": "400",
    b"X: y\rTransfer-Encoding: chunked": "400",
    b"Transfer-Encoding:\r\n chunked": "400",
    b"Transfer-Encoding:\n chunked": "400",
    b"Transfer-Encoding: \x0bchunked": "400|501",
    b"Transfer-Encoding: chunked\x0b": "400|501",
    b"Transfer-Encoding: chunked\x0c": "400|501",
    b"Transfer-Encoding: chunked\x00": "400",
    b"Transfer-Encoding: \xa0chunked": "400|501",
    b"Transfer-Encoding: \xefchunked": "400|501",
    b"Transfer-Encoding: xchunked": "400|501",
    b"Transfer-Encoding: chunkedx": "400|501",
    b"Transfer-Encoding: chunk": "400|501",
    b'Transfer-Encoding: "chunked"': "400|501",
    b"Transfer-Encoding: 'chunked'": "400|501",
    b"Transfer-Encoding: chunked;q=1": "400|501",
    b"Transfer-Encoding: chunked, chunked": "400|501",
    b"Transfer-Encoding: chunked,": "400|501",
    b"Transfer-Encoding: ,chunked": "400|501",
    b"Transfer-Encoding: chunked, identity": "400|501",
    b"Transfer-Encoding: identity, chunked": "400|501",
    b"Transfer-Encoding: gzip, chunked": "400|501",
    b"Transfer-Encoding: chunked, gzip": "400|501",
    b"Transfer-Encoding: gzip": "400|501",
    b"Transfer-Encoding: identity": "400|501",
    b"Transfer-Encoding:": "400|501",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked": "400|501",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity": "400|501",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked": "400|501",
    b"Transfer-Encoding: x\r\ntransfer-encoding: chunked": "400|501",
}
"""Spellings of the field, each with what a request with a body in one chunk must get for it alone."""

LENGTHS: dict[bytes, str] = {
    b"5": "200",
    b"5\t": "200|400",
    b"\t5": "200|400",
    b"05": "200|400",
    b"0000000000000000000000005": "200|400",
    b"-5": "400",
    b"+5": "400",
    b"-0": "400",
    b"+0": "400",
    b"0x5": "400",
    b"0b101": "400",
    b"5_0": "400",
    b"5.0": "400",
    b"5e0": "400",
    b"a": "400",
    b"": "400",
    b"5;5": "400",
    b"5 5": "400",
    b"5,5": "400",
    b"5, 5": "400",
    b"5, 6": "400",
    b"5,": "400",
    b"5\x0b": "400",
    b"\x0b5": "400",
    b"5\x00": "400",
    b'"5"': "400",
    b"\xd9\xa5": "400",
    b"\xef\xbc\x95": "400",
    b"5\r\n 0": "400",
    b"\r\n 5": "400",
    b"%d" % (BODY_BYTES + 1): "413",
    b"99999999999": "413",
    b"4294967301": "413",  # 2**32 + 5
    b"9223372036854775807": "400|413",
    b"18446744073709551621": "400|413",  # 2**64 + 5
    b"9" * 5000: "400|413|431",
    b"0" * 5000 + b"5": "200|400|431",
}

CHUNKS: dict[bytes, str] = {
    CHUNKED_HELLO: "200",
    b"05\r\nhello\r\n0\r\n\r\n": "200",
    b"0000000000000005\r\nhello\r\n0\r\n\r\n": "200|400",
    b"00000000000000000000000005\r\nhello\r\n0\r\n\r\n": "200|400",
    b"1\r\nh\r\n1\r\ne\r\n2\r\nll\r\n1\r\no\r\n0\r\n\r\n": "200",
    b"5\r\nhello\r\n00\r\n\r\n": "200|400",
    b"5;a=b\r\nhello\r\n0\r\n\r\n": "200|400",
    b'5;a="b;c"\r\nhello\r\n0;d\r\n\r\n': "200|400",
    b"5 ;a=b\r\nhello\r\n0\r\n\r\n": "200|400",
    b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n": "200|400|413|431",
    b"5;a\nb=c\r\nhello\r\n0\r\n\r\n": "400",
    b"5;a\rb=c\r\nhello\r\n0\r\n\r\n": "400",
    b"5;a\x00b\r\nhello\r\n0\r\n\r\n": "400",
    b"5;\nhello\r\n0\r\n\r\n": "400",
    b" 5\r\nhello\r\n0\r\n\r\n": "400",
    b"5 \r\nhello\r\n0\r\n\r\n": "200|400",
    b"\t5\r\nhello\r\n0\r\n\r\n": "400",
    b"5\t\r\nhello\r\n0\r\n\r\n": "200|400",
    b"5\x00\r\nhello\r\n0\r\n\r\n": "400",
    b"-5\r\nhello\r\n0\r\n\r\n": "400",
    b"+5\r\nhello\r\n0\r\n\r\n": "400",
    b"0x5\r\nhello\r\n0\r\n\r\n": "400",
    b"5.\r\nhello\r\n0\r\n\r\n": "400",
    b"5,5\r\nhello\r\n0\r\n\r\n": "400",
    b"g\r\nhello\r\n0\r\n\r\n": "400",
    b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n": "400",
    b"\r\nhello\r\n0\r\n\r\n": "400",
    b"\r\n5\r\nhello\r\n0\r\n\r\n": "400",
    b"\n5\r\nhello\r\n0\r\n\r\n": "400",
    b"5\nhello\r\n0\r\n\r\n": "400",
    b"5\rhello\r\n0\r\n\r\n": "400",
    b"5\r\r\nhello\r\n0\r\n\r\n": "400",
    b"5\r\nhello\n0\r\n\r\n": "400",
    b"5\r\nhello\r0\r\n\r\n": "400",
    b"5\r\nhello0\r\n\r\n": "400",
    b"5\r\nhello!\r\n0\r\n\r\n": "400",
    b"5\r\nhello!!0\r\n\r\n": "400",
    b"6\r\nhello\r\n0\r\n\r\n": "400",
    b"5\r\nhello\r\n0\n\n": "400",
    b"5\r\nhello\r\n0\r\n\n": "400",
    b"5\r\nhello\r\n0\n\r\n": "400",
    b"5\r\nhello\r\n0\r\r\n\r\n": "400",
    b"5\r\nhello\r\n-0\r\n\r\n": "400",
    b"5\r\nhello\r\n0x0\r\n\r\n": "400",
    b"ffffffff\r\nhello\r\n0\r\n\r\n": "400|413",
    b"7fffffffffffffff\r\nhello\r\n0\r\n\r\n": "400|413",
    b"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n": "400|413",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n": "400|413",
    b"f" * 1000 + b"\r\nhello\r\n0\r\n\r\n": "400|413",
}
"""Bodies of `hello`, or what may be taken for it."""

TRAILERS: dict[bytes, str] = {
    b"X-Note: smuggled\r\n": "200|400",
    b"X-Api-Key: smuggled\r\n": "200|400",
    b"X-Caller-Id: smuggled\r\n": "200|400",
    b"Content-Length: 5\r\n": "200|400",
    b"Transfer-Encoding: chunked\r\n": "200|400",
    b"Host: smuggled\r\n": "200|400",
    b"Connection: keep-alive\r\n": "200|400",
    b"X-A: 1\r\nX-B: smuggled\r\n": "200|400",
    b"X-Note : smuggled\r\n": "400",
    b"X-Note: a\r\n smuggled\r\n": "400",
    b": smuggled\r\n": "400",
    b"smuggled\r\n": "400",
    b"X-Note: a\x00smuggled\r\n": "400",
    b"X-Note: a\nX-Api-Key: smuggled\r\n": "400",
    b"X-Note: a\rX-Api-Key: smuggled\r\n": "400",
    b"GET /v1/smuggled HTTP/1.1\r\n": "400",
    b"X-Note: " + b"a" * 70_000 + b"\r\n": "200|400|413|431",
    b"X: y\r\n" * 5000: "200|400|413|431",
}

_PARTS = [b"Content-Length: %d" % len(CHUNKED_HELLO), b"Content-Length: 5", b"Content-Length: 0"]


def _both() -> list[Variant]:
    """Content-Length and every spelling of Transfer-Encoding, in both orders: a refusal, whatever the lengths say."""
    found = []
    for spelling in CODINGS:
        for position, length in enumerate(_PARTS):
            name = f"CL{position} + {spelling[:60]!r}"
            found.append(Variant(name, post(CHUNKED_HELLO + SMUGGLED, length, spelling), "400|501 end", ()))
        found.append(
            Variant(f"{spelling[:60]!r} + CL", post(CHUNKED_HELLO + SMUGGLED, spelling, _PARTS[0]), "400|501 end", ())
        )
    return found


def _look_alikes() -> list[Variant]:
    """Fields that are no framing here and may be for a backend: the body is forwarded without them."""
    names = [b"Transfer_Encoding", b"TRANSFER_ENCODING", b"Transfer-_Encoding", b"Transfer\xad-Encoding"]
    names += [b"X-Transfer-Encoding", b"TE"]
    found = [
        Variant(f"look-alike {name!r}", post(b"hello", b"Content-Length: 5", name + b": chunked"), "200|400", HELLO)
        for name in names
    ]
    return [
        *found,
        Variant(
            "look-alike Content_Length", post(b"hello", b"Content-Length: 5", b"Content_Length: 50"), "200|400", HELLO
        ),
        Variant("only Content_Length", post(b"", b"Content_Length: 50"), "200|400", ("POST /v1/t",)),
        Variant("only Transfer_Encoding", post(b"", b"Transfer_Encoding: chunked"), "200|400", ("POST /v1/t",)),
    ]


FRAMING: list[Variant] = [
    *_both(),
    *(
        Variant(f"TE {field[:60]!r}", post(CHUNKED_HELLO, field), f"{replies} end", HELLO)
        for field, replies in CODINGS.items()
    ),
    *(
        Variant(f"CL {value[:40]!r}", post(b"hello", b"Content-Length: " + value), replies, HELLO)
        for value, replies in LENGTHS.items()
    ),
    *_look_alikes(),
    Variant("CL twice, the same", post(b"hello", b"Content-Length: 5", b"Content-Length: 5"), "400 end"),
    Variant("CL twice, different", post(b"hello" + SMUGGLED, b"Content-Length: 5", b"Content-Length: 80"), "400 end"),
    Variant("CL twice, other case", post(b"hello" + SMUGGLED, b"Content-Length: 5", b"content-length: 0"), "400 end"),
    Variant("CL with a space", post(b"hello", b"Content-Length : 5"), "400 end"),
    Variant("CL folded", post(b"hello", b"X: y\r\n Content-Length: 5"), "400 end"),
    Variant("CL after a bare LF", post(b"hello", b"X: y\nContent-Length: 5"), "400 end"),
    Variant("CL after a bare CR", post(b"hello", b"X: y\rContent-Length: 5"), "400 end"),
    Variant("CL shorter than the body", post(b"hello!?", b"Content-Length: 5"), "200 400 end or 400 end", HELLO),
    Variant("CL longer than the body", post(b"hello", b"Content-Length: 50"), "400 end", (), unfinished=True),
    Variant("GET with a body", get(b"Content-Length: 5") + b"hello", "200", ("GET /v1/t hello",)),
    Variant(
        "GET with a request as body",
        get(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED,
        "200 open",
        ("GET /v1/t " + SMUGGLED.decode().rstrip(),),
    ),
    Variant(
        "GET with a chunked body", get(b"Transfer-Encoding: chunked") + CHUNKED_HELLO, "200 end", ("GET /v1/t hello",)
    ),
    Variant(
        "HEAD with a body", get(b"Content-Length: 5", method=b"HEAD") + b"hello", "200", ("HEAD /v1/t hello",), "HEAD"
    ),
    Variant("DELETE with CL 0", get(b"Content-Length: 0", method=b"DELETE"), "200 open", ("DELETE /v1/t",)),
    Variant("POST without framing", post(b""), "200 open", ("POST /v1/t",)),
    Variant(
        "TE in HTTP/1.0",
        get(b"Transfer-Encoding: chunked", version=b"HTTP/1.0") + CHUNKED_HELLO + SMUGGLED,
        "400 end",
        (),
    ),
    Variant(
        "TE and CL in HTTP/1.0",
        get(b"Transfer-Encoding: chunked", b"Content-Length: 5", version=b"HTTP/1.0") + CHUNKED_HELLO,
        "400 end",
        (),
    ),
]

CHUNKING: list[Variant] = [
    *(
        Variant(f"chunks {body[:50]!r}", chunked(body), f"{replies} end", HELLO, unfinished=True)
        for body, replies in CHUNKS.items()
    ),
    *(
        Variant(f"trailer {field[:50]!r}", chunked(b"5\r\nhello\r\n0\r\n" + field + b"\r\n"), f"{replies} end", HELLO)
        for field, replies in TRAILERS.items()
    ),
    *(
        Variant(
            f"trailer {field[:50]!r}, then a request",
            chunked(b"5\r\nhello\r\n0\r\n" + field + b"\r\n" + SMUGGLED),
            f"{replies} end",
            HELLO,
        )
        for field, replies in TRAILERS.items()
    ),
    Variant(
        "trailer announced",
        post(b"5\r\nhello\r\n0\r\nX-Note: a\r\n\r\n", b"Transfer-Encoding: chunked", b"Trailer: X-Note"),
        "200|400 end",
        HELLO,
    ),
    Variant(
        "2,000 chunks of a byte", chunked(b"1\r\na\r\n" * 2000 + b"0\r\n\r\n"), "200 end", ("POST /v1/t " + "a" * 2000,)
    ),
    Variant(
        "chunks beyond the limit",
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (BODY_BYTES + 1, b"a" * (BODY_BYTES + 1))),
        "413 end",
        (),
    ),
    Variant("chunks that break off", chunked(b"5\r\nhel"), "400 end", (), unfinished=True),
    Variant("no last chunk", chunked(b"5\r\nhello\r\n"), "400 end", (), unfinished=True),
    Variant("half a last chunk", chunked(b"5\r\nhello\r\n0\r\n"), "400 end", (), unfinished=True),
    Variant("an open trailer", chunked(b"5\r\nhello\r\n0\r\nX-Note: a\r\n"), "400 end", (), unfinished=True),
    Variant(
        "a request in a chunk",
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
        "200 end",
        ("POST /v1/t " + SMUGGLED.decode().rstrip(),),
    ),
]
assert MARK.encode() in SMUGGLED
