"""kernel/errors/objects.py: what kind of object stands in an error."""

import pytest

from gateway.kernel.errors.objects import (
    Head,
    is_datum,
    is_form,
    is_report,
    is_texts,
    is_unknown,
    may_be_field,
    named_by_words,
    own_head,
    text_member,
    unwrapped,
)


@pytest.mark.parametrize(
    ("value", "report"),
    [
        ({"message": "is odd"}, True), ({"message": "is odd", "code": "x"}, True), ({"msg": "odd", "path": "a"}, True), ({"message": "is odd", "email": "is odd"}, False),
        ({"message": "is required", "name": "is too short"}, False), ({"title": "is odd"}, False), ({"message": ["is odd"]}, False), ({}, False),
        ({"message": "is odd", "kind": "required", "properties": {}}, True),
    ],
)  # fmt: skip
def test_is_report(value: dict[str, object], *, report: bool) -> None:
    assert is_report(value) is report


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"errors": [], "properties": {}}, True),
        ({"children": {}}, True),
        ({"errors": []}, False),
        ({"items": []}, False),
        ({"properties": {}}, False),
        ({}, False),
        ({"errors": [], "message": "m"}, False),
    ],
)
def test_is_form(value: dict[str, object], *, form: bool) -> None:
    assert is_form(value) is form


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1]", [1]),
        (' \n{"a":1}', {"a": 1}),
        ("[1", "[1"),
        ("7", "7"),
        ("", ""),
        ("[x] is odd", "[x] is odd"),
        (" " * 99 + "[1]", " " * 99 + "[1]"),
    ],
)
def test_texts_that_are_json(text: str, value: object) -> None:
    assert unwrapped(text) == value


def test_names_become_words_and_the_first_counts() -> None:
    assert named_by_words({"Error_Message": "a", "errorMessage": "b", "stack": "s", "details": {"text": "t"}}) == {
        "errormessage": "a",
        "details": "t",
    }


def test_the_head_of_an_error() -> None:
    assert own_head({"message": "m", "code": "E7"}) == Head("", "m", "E7: m", "E7")
    assert own_head({"message": "m", "title": "t", "developermessage": "d"}) == Head("t", "m", "d", "")
    assert own_head({}) == Head()


def test_odata_2_keeps_its_single_errors_in_an_inner_error() -> None:
    assert named_by_words({"innererror": {"errordetails": [{"message": "m"}]}}) == {"errordetails": [{"message": "m"}]}
    assert named_by_words({"innererror": {"trace": "t"}}) == {}


def test_a_text_in_an_object_of_its_own() -> None:
    assert text_member("message", {"lang": "en", "value": "m"}) == "m"
    assert text_member("message", {"value": "m", "other": 1}) == {"value": "m", "other": 1}
    assert text_member("message", ["m"]) == ["m"]


@pytest.mark.parametrize(("member", "texts"), [(["a", "b"], True), ([], False), (["a", 1], False), ("a", False)])
def test_is_texts(member: object, *, texts: bool) -> None:
    assert is_texts(member) is texts


@pytest.mark.parametrize(
    ("name", "member", "field"),
    [("email", "is odd", True), ("stack", "s", False), ("statuscode", 400, False), ("message", "m", False), ("title", ["is odd"], True)],
)  # fmt: skip
def test_may_be_field(name: str, member: object, *, field: bool) -> None:
    assert may_be_field(name, member) is field


def test_unknown_members_and_data() -> None:
    assert [is_unknown("email", ["is odd"]), is_unknown("email", []), is_unknown("message", ["m"])] == [
        True,
        False,
        False,
    ]
    assert [is_datum("id", 7), is_datum("price", 1.5), is_datum("code", 7), is_datum("price", "1.5")] == [
        True,
        True,
        False,
        False,
    ]
