"""Checking a body costs time linear in its size, whatever it holds and whatever is wrong with it."""

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from gateway.openapi.drift.reply_contract import DescribedReply, ReplyContract
from gateway.openapi.json_body import BodyError, read_json
from gateway.openapi.request_contract import BodyContract, RequestContract
from gateway.openapi.validator import Validator
from tests.growth import RUNS, Work, check_growth, cost_ns
from tests.untrusted import UNITS, fill, shown

SIZE = 20_000
DEFINITIONS: dict[str, Any] = {
    "Node": {"oneOf": [{"$ref": "#/$defs/Leaf"}, {"$ref": "#/$defs/Branch"}, {"$ref": "#/$defs/Twig"}]},
    "Leaf": {"type": "object", "properties": {"leaf": {"const": True}}, "required": ["leaf"]},
    "Branch": {"type": "object", "properties": {"c": {"$ref": "#/$defs/Node"}}, "required": ["c"]},
    "Twig": {"type": "object", "properties": {"c": {"$ref": "#/$defs/Node"}}, "required": ["c", "twig"]},
}
BODY: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "uniqueItems": True, "items": {"type": "string", "pattern": "^(a+)+$", "maxLength": 5}},
        {"type": "object", "unevaluatedProperties": False, "properties": {"tree": {"$ref": "#/$defs/Node"}}},
    ]
}
VALIDATOR = Validator({"type": "object", "properties": {"body": BODY}}, DEFINITIONS)
CONTRACT = RequestContract(
    methods=frozenset({"POST"}),
    shadow=False,
    max_body_bytes=1 << 30,
    bodies={"application/json": BodyContract("json", VALIDATOR), "form": BodyContract("form", VALIDATOR)},
    without_body=VALIDATOR,
)
FIELDS: "CIMultiDict[str]" = CIMultiDict()


def checking(body: bytes, kind: str = "application/json") -> Work:
    return lambda: CONTRACT.check("/", "", FIELDS, body, CONTRACT.bodies[kind])


@pytest.mark.parametrize(
    "item",
    [
        b"1",
        b'"a"',
        b'"aaaaaaaaaa"',
        b"[]",
        b"{}",
        b'{"a":1}',
        b"1e9",
        b"null",
        b'"\\u0061"',
        b'{"a":1,"a":2}',
        b"[[[[[]]]]]",
    ],
    ids=shown,
)
def test_long_lists(item: bytes) -> None:
    check_growth(lambda size: checking(b"[%b%b]" % ((item + b",") * (size // len(item)), item)), SIZE)


@pytest.mark.parametrize("value", [b"1", b'{"a":1}', b"[]"], ids=shown)
def test_objects_of_many_members(value: bytes) -> None:
    def prepare(size: int) -> Work:
        members = b",".join(b'"m%d":%b' % (number, value) for number in range(size // 8))
        return checking(b"{%b}" % members)

    check_growth(prepare, SIZE)


def test_long_texts_and_patterns() -> None:
    check_growth(lambda size: checking(b'["%b!"]' % (b"a" * size)), 10 * SIZE)


def test_numbers_of_many_digits() -> None:
    check_growth(lambda size: checking(b"[%b]" % (b"9" * size)), 10 * SIZE)


@pytest.mark.parametrize("unit", UNITS, ids=shown)
def test_what_is_no_json(unit: bytes) -> None:
    check_growth(lambda size: checking(fill(unit, size)), 4 * SIZE)
    check_growth(lambda size: checking(b'{"a":"' + fill(unit, size)), 4 * SIZE)


@pytest.mark.parametrize("unit", [b"a=1&", b"a&", b"&", b"%41=+&", b"m[a]=1&"], ids=shown)
def test_forms(unit: bytes) -> None:
    check_growth(lambda size: checking(fill(unit, size), "form"), SIZE)


def test_choices_within_choices_at_any_depth() -> None:
    """Twice as many ways at each level would take for ever at fifty."""
    for depth in (5, 20, 45, 90):
        tree: dict[str, Any] = {"c": 1}
        for _ in range(depth):
            tree = {"c": tree, "twig": 1}
        work = checking(json.dumps({"tree": tree}).encode())
        assert cost_ns(lambda _, work=work: work, 0) < 200_000_000 * RUNS  # type: ignore[misc]


@pytest.mark.parametrize(
    "unit", [b'{"a":[1,"x"]},', b'"\\u0061 :",', b"[[[[[]]]]],", b'{"requestId":1,"data":{"result":[]}},'], ids=shown
)
def test_answers_of_services(unit: bytes) -> None:
    """They are checked after their replies, on the event loop all the same."""
    contract = ReplyContract(
        frozenset({b"GET"}),
        {"200": DescribedReply((), {"application/json": Validator(BODY, DEFINITIONS)})},
        frozenset({"tree"}),
        adopts=True,
        most_bytes=1 << 30,
    )

    def checking_answer(size: int) -> Work:
        body = b'{"requestId":"a","status":"SUCCESS","data":{"result":[%b1]}}' % (unit * (size // len(unit)))
        return lambda: contract.check(b"GET", 200, [(b"content-type", b"application/json")], body)

    check_growth(checking_answer, SIZE)


def test_nesting_is_refused_at_once() -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        for levels in (101, 1_000, 100_000):
            with pytest.raises(BodyError):
                read_json(opening * levels + b"1" + closing * levels)
