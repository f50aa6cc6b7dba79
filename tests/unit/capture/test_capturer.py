import gzip
from typing import Any

import msgspec
import pytest

from gateway.capture.capturer import Capturer, CaptureRules
from gateway.capture.captures import Capture, CapturedBody, Captures
from gateway.exchange import Exchange
from gateway.kernel.faults import KEY_AMBIGUOUS, MALFORMED_REQUEST, UPSTREAM_BODY_INVALID, GatewayError
from gateway.upstream.call import Answer
from tests.samples import Pieces, exchange
from tests.unit.stages.recording import served

KEY = "gate-key-0123456789"
JSON = (b"content-type", b"application/json")


class Capturing:
    """Captures, by rules that capture all 5xx unless they are changed."""

    def __init__(self, **changes: Any) -> None:
        rules = CaptureRules(["5xx"], 1.0, 64, ["iban"], ("X-Api-Key", "X-Api-Key"))
        self.captures = Captures()
        self.capturer = Capturer(msgspec.structs.replace(rules, **changes), self.captures, lambda: 1_800_000_000.0)

    def of(self, x: Exchange, status: int = 503, path: str | None = "/v1/orders") -> Capture | None:
        self.capturer(x, status, lambda _: path)
        return self.captures.find(x.request_id)


def failed(answer: Answer | None = None, *fields: tuple[str, str], **changes: Any) -> Exchange:
    x = served(**changes)
    x.headers = exchange((("X-Api-Key", KEY), ("Accept", "application/json"), *fields)).headers
    x.header_keys = [KEY]
    x.answer = answer
    return x


def answered(body: bytes, *fields: tuple[bytes, bytes], length: int | None = None) -> Answer:
    return Answer(500, [*(fields or (JSON,))], body, None, length, "127.0.0.1:3000")


def body_of(captured: Capture | None) -> CapturedBody:
    assert captured is not None
    assert captured.answer is not None
    assert captured.answer.body is not None
    return captured.answer.body


@pytest.mark.parametrize(
    ("on", "status", "captured"),
    [
        (["5xx"], 503, True),
        (["5xx"], 404, False),
        (["4xx"], 404, True),
        (["429", "504"], 504, True),
        (["429", "504"], 503, False),
        (["upstream_body_invalid"], 200, True),
        (["upstream_refused"], 503, False),
    ],
)
def test_statuses_classes_and_faults_are_captured(*, on: list[str], status: int, captured: bool) -> None:
    found = Capturing(on=on).of(failed(error=GatewayError(UPSTREAM_BODY_INVALID)), status)
    assert (found is not None) is captured


@pytest.mark.parametrize(("share", "captured"), [(0.0, False), (0.42, False), (0.43, True), (1.0, True)])
def test_a_share_is_captured(*, share: float, captured: bool) -> None:
    found = Capturing(share=share).of(failed())  # the id begins with 6d84e126, 0.4278 of all
    assert (found is not None) is captured


def test_only_so_many_are_captured_in_a_second() -> None:
    now_s, captures = [1_800_000_000.2], Captures()
    rules = CaptureRules(["5xx"], 1.0, 64, (), (), max_per_second=2)
    capturer = Capturer(rules, captures, lambda: now_s[0])
    for at_s in (0.2, 0.5, 0.9, 1.1):
        now_s[0] = 1_800_000_000.0 + at_s
        capturer(failed(), 503, lambda _: None)
    assert [round(summary.at - 1_800_000_000.0, 1) for summary in captures.summaries()] == [0.2, 0.5, 1.1]


def test_it_says_what_happened() -> None:
    x = failed(answered(b'{"a":1}'), query="a=1&password=hush", error=GatewayError(UPSTREAM_BODY_INVALID))
    found = Capturing().of(x)
    assert msgspec.json.decode(msgspec.json.encode(found)) == {
        "summary": {
            "at": 1_800_000_000.0,
            "request_id": x.request_id,
            "trace_id": x.trace_id,
            "status": 503,
            "method": "GET",
            "outcome": "answered",
            "route": "orders",
            "reason": "upstream_body_invalid",
            "key_id": "acme-ci",
            "organization": "acme",
        },
        "path": "/v1/orders",
        "query": "a=1&password=***",
        "request": {"fields": [["x-api-key", "***"], ["accept", "application/json"]]},
        "answer": {
            "fields": [["content-type", "application/json"]],
            "status": 500,
            "target": "127.0.0.1:3000",
            "body": {"type": "application/json", "length": 7, "text": '{"a":1}'},
        },
    }


def test_where_nobody_was_known_and_nothing_was_answered_it_says_less() -> None:
    found = Capturing().of(exchange(), path=None)
    assert found is not None
    assert set(msgspec.to_builtins(found)) == {"summary", "request"}
    assert (found.summary.route, found.summary.key_id, found.path) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (("User-Agent", "curl/8"), "curl/8"),
        (("Cookie", "a=b"), "***"),
        (("Authorization", "Bearer abc"), "***"),
        (("X-Note", "private"), "***"),
        (("User-Agent", f"client of {KEY}"), "client of " + "*" * 19),
        (("User-Agent", "%67ate-key-0123456789"), "***"),
        (("User-Agent", "a" * 300), "a" * 256),
    ],
)
def test_fields_that_may_hold_a_secret_are_masked(field: tuple[str, str], shown: str) -> None:
    found = Capturing().of(failed(None, field))
    assert found is not None
    assert found.request.fields[-1] == (field[0].lower(), shown)


def test_a_field_is_masked_where_the_configuration_says_so_and_a_name_that_is_a_secret() -> None:
    found = Capturing(redact=["User-Agent"]).of(failed(None, ("User-Agent", "curl/8"), (KEY, "a")))
    assert found is not None
    assert found.request.fields[-2:] == [("user-agent", "***"), ("*" * 19, "***")]


def test_fields_are_bounded() -> None:
    found = Capturing().of(failed(None, *[(f"X-{n}", "a") for n in range(100)]))
    assert found is not None
    assert len(found.request.fields) == 64


@pytest.mark.parametrize("name", ["Authorization", "X_Api_Key", "Proxy-Authorization"])
def test_credentials_in_other_fields_are_masked_in_bodies(name: str) -> None:
    x = failed(answered(b'{"echo":"other-secret-987"}'), (name, "Bearer other-secret-987"))
    assert body_of(Capturing().of(x)).text == '{"echo":"****************"}'


@pytest.mark.parametrize(
    "x",
    [
        failed(head_error=GatewayError(MALFORMED_REQUEST), query=f"a={KEY}"),
        failed(error=GatewayError(KEY_AMBIGUOUS), query=f"a={KEY}"),
        failed(None, ("Authorization", "a" * 5000)),
    ],
)
def test_nothing_is_shown_where_not_all_secrets_are_known(x: Exchange) -> None:
    found = Capturing().of(x)
    assert found is not None
    assert (found.request.fields, found.path, found.query, found.answer) == ([], None, None, None)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (answered(b'{"iban":"hush"}'), CapturedBody("application/json", 15, '{"iban":"***"}')),
        (answered(b'{"a":"' + b"b" * 70), CapturedBody("application/json", 76, '{"a":"' + "b" * 58, cut=True)),
        (answered(b'{"a":1', length=10), CapturedBody("application/json", 10, '{"a":1', cut=True)),
        (
            answered(b"a" * 60 + KEY.encode() + b"a"),
            CapturedBody("application/json", 80, "a" * 60 + "****", cut=True),
        ),
        (answered(b"%67ate-key-0123456789"), CapturedBody("application/json", 21, withheld="secret")),
        (answered(b'{"\0a":1}'), CapturedBody("application/json", 8, withheld="coding")),
        (answered(b"<p>", (b"content-type", b"text/html")), CapturedBody("text/html", 3, withheld="type")),
        (answered(b"?", (b"x-a", b"b")), CapturedBody(None, 1, withheld="type")),
        (
            answered(gzip.compress(b'{"token":1}', mtime=0), JSON, (b"content-encoding", b"GZIP"), length=31),
            CapturedBody("application/json", 31, '{"token":"***"}'),
        ),
        (
            answered(b"no gzip", JSON, (b"content-encoding", b"gzip")),
            CapturedBody("application/json", 7, withheld="coding"),
        ),
        (answered(b"{}", JSON, (b"content-encoding", b"br")), CapturedBody("application/json", 2, withheld="coding")),
        (answered(b"", length=9), CapturedBody("application/json", 9, "", cut=True)),
    ],
)
def test_the_start_of_an_answer_is_kept(answer: Answer, body: CapturedBody) -> None:
    assert body_of(Capturing().of(failed(answer))) == body


def test_the_length_of_a_body_of_which_only_the_start_is_left_is_not_known() -> None:
    capturing = Capturing()
    body = body_of(capturing.of(failed(answered(b"1" * capturing.capturer.kept_bytes))))
    assert (body.length, body.cut) == (None, True)


def test_the_length_of_a_stream_is_not_known() -> None:
    answer = answered(b"[1")
    answer.stream = Pieces()
    assert body_of(Capturing().of(failed(answer))) == CapturedBody("application/json", None, "[1", cut=True)


def test_an_answer_without_a_body_has_none() -> None:
    found = Capturing().of(failed(answered(b"")))
    assert found is not None
    assert found.answer is not None
    assert found.answer.body is None


def test_the_body_of_a_request_is_kept_where_it_was_in_memory() -> None:
    fields = (("Content-Type", "application/json"),)
    body = Pieces(length=19)
    x = failed(None, *fields, body=body, body_start=b'{"password":"hush"}')
    found = Capturing().of(x)
    assert found is not None
    assert found.request.body == CapturedBody("application/json", 19, '{"password":"***"}')
    body.length, body.received = None, 19
    found = Capturing().of(x)
    assert found is not None
    assert found.request.body == CapturedBody("application/json", 19, '{"password":"***"}')
    body.received = 1000
    found = Capturing().of(x)
    assert found is not None
    assert found.request.body == CapturedBody("application/json", None, '{"password":"***"}', cut=True)
    x.body_start = None
    found = Capturing().of(x)
    assert found is not None
    assert found.request.body == CapturedBody("application/json", None, withheld="unread")
