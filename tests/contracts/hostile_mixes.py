"""Several requests at once, half requests, other protocols, expectations."""

from tests.contracts.hostile import HOST_FIELD, KEY_FIELD, SMUGGLED, Variant, chunked, get, post, request

_MANY = b"".join([get(target=b"/v1/%d" % at) for at in range(50)])
_ALL_50 = tuple(f"GET /v1/{at}" for at in range(50))
_BAD = b"GET /v1/smuggled HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"
_HELLO = post(b"hello", b"Content-Length: 5")
_TLS = bytes.fromhex("16030100c8010000c4030303") + bytes(range(32)) + b"\x20" + bytes(160)

MIXES: list[Variant] = [
    # Pipelining
    Variant("two good", get() * 2, "200 200 open"),
    Variant("50 good", _MANY, "200 " * 50 + "open", _ALL_50),
    Variant("50 good, then a bad one", _MANY + _BAD, "200 " * 50 + "400 end", _ALL_50),
    Variant("good, bad, good", get() + _BAD + SMUGGLED, "200 400 end"),
    Variant("bad, good", _BAD + SMUGGLED, "400 end", ()),
    Variant(
        "good, refused, good",
        get() + get(target=b"/") + get(target=b"/v1/u"),
        "200 404 200 open",
        ("GET /v1/t", "GET /v1/u"),
    ),
    Variant(
        "good, ambiguous, good",
        get() + get(target=b"/v1/../t") + get(target=b"/v1/u"),
        "200 400 200",
        ("GET /v1/t", "GET /v1/u"),
    ),
    Variant(
        "unknown key, good",
        request(b"GET /v1/smuggled HTTP/1.1", HOST_FIELD, b"X-Api-Key: nobody") + get(),
        "401 200 open",
    ),
    Variant("no key after a key", get() + request(b"GET /v1/smuggled HTTP/1.1", HOST_FIELD), "200 401 open"),
    Variant("good, garbage", get() + b"\x00\x01\x02\r\n\r\n", "200 400 end"),
    Variant("good, a word", get() + b"quit\r\n\r\n", "200 400 end"),
    Variant("body, request", _HELLO + get(), "200 200 open", ("POST /v1/t hello", "GET /v1/t")),
    Variant("body, body", _HELLO + _HELLO, "200 200 open", ("POST /v1/t hello",) * 2),
    Variant("chunked body, request", chunked(b"5\r\nhello\r\n0\r\n\r\n") + SMUGGLED, "200 end", ("POST /v1/t hello",)),
    Variant("bad chunks, request", chunked(b"5\r\nhelloX\r\n0\r\n\r\n") + SMUGGLED, "400 end", ()),
    Variant(
        "refused body, request",
        post(b"hello" + get(), b"Content-Length: 5").replace(b"/v1/t", b"/", 1),
        "404 200 or 404 end",
    ),
    Variant("too large a body, request", post(b"", b"Content-Length: 200000") + SMUGGLED, "413 end", ()),
    Variant("close, request", get(b"Connection: close") + SMUGGLED, "200 end"),
    Variant("Close in other words, request", get(b"Connection: x, CLOSE") + SMUGGLED, "200 end"),
    Variant("keep-alive and close, request", get(b"Connection: keep-alive, close") + SMUGGLED, "200 end"),
    Variant("HTTP/1.0, request", get(version=b"HTTP/1.0") + SMUGGLED, "200 end"),
    Variant("wrong version, request", get(version=b"HTTP/2.0") + SMUGGLED, "505 end", ()),
    Variant("wrong Host, request", get().replace(b"Host: h", b"Host: a b") + SMUGGLED, "400", ()),
    # Empty lines
    Variant("empty lines first", b"\r\n\r\n" + get(), "200|400"),
    Variant("a bare LF first", b"\n" + get(), "200|400"),
    Variant("a bare CR first", b"\r" + get(), "200|400"),
    Variant("empty lines between", get() + b"\r\n\r\n" + get(), "200 200|400"),
    Variant("10,000 empty lines", b"\r\n" * 10_000 + get(), "200|400|431"),
    Variant("only empty lines", b"\r\n\r\n", "400 end", (), unfinished=True),
    Variant("lines end in LF", get().replace(b"\r\n", b"\n"), "200|400"),
    Variant("lines end in LF, request", get().replace(b"\r\n", b"\n") + SMUGGLED, "400 end", ()),
    Variant("head ends in LF", get()[:-2] + b"\n", "400 end", (), unfinished=True),
    Variant("request line ends in LF", get().replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"), "200|400"),
    Variant("lines end in CR", get().replace(b"\r\n", b"\r"), "400 end"),
    Variant("lines end in CR CR LF", get().replace(b"\r\n", b"\r\r\n"), "400 end"),
    Variant("lines end in LF CR", get().replace(b"\r\n", b"\n\r"), "400 end"),
    # Half requests
    Variant("good, half a head", get() + b"GET /v1/smuggled HTTP/1.1\r\nHost", "200 400 end", unfinished=True),
    Variant("half a head", get()[:-2], "400 end", (), unfinished=True),
    Variant("half a request line", b"GET /v1", "400 end", (), unfinished=True),
    Variant("one byte", b"G", "400 end", (), unfinished=True),
    Variant("one byte that is none", b"\x80", "400 end", (), unfinished=True),
    Variant("a line of HTTP/0.9", b"GET /v1/t\r\n", "400|505 end", (), unfinished=True),
    Variant("half a body, half-closed", post(b"hel", b"Content-Length: 5"), "400 end", (), unfinished=True),
    Variant("whole, half-closed", get(), "200 end", unfinished=True),
    Variant("two, half-closed", get() * 2, "200 200 end", unfinished=True),
    Variant("body, half-closed", _HELLO, "200 end", ("POST /v1/t hello",), unfinished=True),
    # Expectations
    Variant("Expect", post(b"hello", b"Content-Length: 5", b"Expect: 100-continue"), "200", ("POST /v1/t hello",)),
    Variant(
        "Expect in capitals",
        post(b"hello", b"Content-Length: 5", b"EXPECT: 100-CONTINUE"),
        "200",
        ("POST /v1/t hello",),
    ),
    Variant("Expect without a body", get(b"Expect: 100-continue"), "200"),
    Variant(
        "Expect in HTTP/1.0",
        _HELLO.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
        "200 end",
        ("POST /v1/t hello",),
    ),
    Variant(
        "Expect in chunks",
        post(b"5\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", b"Expect: 100-continue"),
        "200 end",
        ("POST /v1/t hello",),
    ),
    Variant("Expect something else", get(b"Expect: smuggled"), "417 end", ()),
    Variant("Expect more", get(b"Expect: 100-continue, smuggled"), "417 end", ()),
    Variant(
        "Expect twice",
        post(b"hello", b"Content-Length: 5", b"Expect: 100-continue", b"Expect: smuggled"),
        "200|417",
        ("POST /v1/t hello",),
    ),
    Variant("Expect nothing", get(b"Expect:"), "200|417"),
    Variant(
        "Expect where there is no route",
        post(b"", b"Content-Length: 5", b"Expect: 100-continue").replace(b"/v1/t", b"/"),
        "404 end",
        (),
    ),
    Variant(
        "Expect without a key",
        request(b"POST /v1/t HTTP/1.1", HOST_FIELD, b"Content-Length: 5", b"Expect: 100-continue"),
        "401 end",
        (),
    ),
    # Other protocols
    Variant(
        "h2c",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        "200 end",
    ),
    Variant(
        "h2c, request",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__") + SMUGGLED,
        "200 end",
    ),
    Variant(
        "h2c with a body",
        post(b"hello", b"Content-Length: 5", b"Connection: Upgrade", b"Upgrade: h2c"),
        "200|400 end",
        ("POST /v1/t hello",),
    ),
    Variant(
        "h2c with chunks",
        post(b"5\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", b"Connection: Upgrade", b"Upgrade: h2c"),
        "200|400 end",
        ("POST /v1/t hello",),
    ),
    Variant(
        "h2c, Connection in pieces",
        get(b"Connection: Upgrade", b"Connection: HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: smuggled"),
        "200 end",
    ),
    Variant(
        "websocket",
        get(
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        "426 end",
        (),
    ),
    Variant(
        "websocket, frames",
        get(b"Connection: upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: a")
        + b"\x81\x85abcdsmuggled",
        "426 end",
        (),
    ),
    Variant("TLS as protocol", get(b"Connection: Upgrade", b"Upgrade: TLS/1.2"), "200|400|501 end"),
    Variant("Upgrade alone", get(b"Upgrade: websocket"), "200"),
    Variant("Upgrade, nothing named", get(b"Connection: Upgrade"), "200"),
    Variant("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), "400|505 end", ()),
    Variant("TLS hello", _TLS, "400 end", (), unfinished=True),
    Variant("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", "400 end", (), unfinished=True),
    Variant("SMTP", b"EHLO smuggled\r\nMAIL FROM:<a@b>\r\n", "400 end", (), unfinished=True),
    Variant("Redis", b"*1\r\n$4\r\nPING\r\n", "400 end", (), unfinished=True),
    Variant("PROXY protocol", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(), "400 end", ()),
    Variant("PROXY protocol, binary", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + get(), "400 end", ()),
    Variant("a reply", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "400 end", ()),
    Variant("nothing but NUL", bytes(100_000), "400 end", (), unfinished=True),
    Variant("a megabyte without a line", b"a" * 1_000_000, "400|414|431 end", (), unfinished=True),
    Variant(
        "a megabyte of fields", b"GET /v1/t HTTP/1.1\r\n" + b"X: y\r\n" * 160_000, "400|431 end", (), unfinished=True
    ),
    Variant(
        "a split key",
        request(b"GET /v1/smuggled HTTP/1.1", HOST_FIELD, KEY_FIELD.replace(b": ", b":\r\n ")),
        "400 end",
        (),
    ),
]
