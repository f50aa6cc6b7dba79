import pytest

from gateway.capture.body_redaction import BodyRedaction, kind_of

REDACTION = BodyRedaction(
    ["iban", "Birth-Date", "$.card.number", "$.items[*].sku", "$.whole", "$[*].first"], ("X-Api-Key", "X-Api-Key")
)


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("application/problem+json", "json"),
        ("text/json", "json"),
        ("application/x-www-form-urlencoded", "form"),
        ("text/plain", None),
        ("application/x-ndjson", None),
        ("", None),
    ],
)
def test_json_and_forms_can_be_redacted(content_type: str, kind: str | None) -> None:
    assert kind_of(content_type) == kind


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"a": 1, "b": [true, null]}', '{"a": 1, "b": [true, null]}'),
        ('{"password": "hush", "a": "b"}', '{"password": "***", "a": "b"}'),
        ('{"PassWord":"hush"}', '{"PassWord":"***"}'),
        ('{"access_token":1234,"refreshToken":null}', '{"access_token":"***","refreshToken":"***"}'),
        ('{"userPassword":"hush","client-secret":"hush"}', '{"userPassword":"***","client-secret":"***"}'),
        ('{"a":{"birth_date":"hush"}}', '{"a":{"birth_date":"***"}}'),
        ('{"iban":{"a":["hush",{"b":1}]},"c":2}', '{"iban":"***","c":2}'),
        ('{"secret":["hush","hush"],"c":2}', '{"secret":"***","c":2}'),
        ('{"card":{"number":"hush","name":"n"},"number":1}', '{"card":{"number":"***","name":"n"},"number":1}'),
        ('{"items":[{"sku":"hush"},{"sku":1,"n":2}]}', '{"items":[{"sku":"***"},{"sku":"***","n":2}]}'),
        ('[{"first":"hush"},{"second":"shown"}]', '[{"first":"***"},{"second":"shown"}]'),
        ('{"whole":{"deep":{"er":1}}}', '{"whole":"***"}'),
        ('{"p\\u0061ssword":"hush"}', '{"p\\u0061ssword":"***"}'),
        ('{"passwor\\d":"hush"}', '{"passwor\\d":"***"}'),
        ('{"password":"hu\\"sh","a":"b"}', '{"password":"***","a":"b"}'),
        ('["password", "shown"]', '["password", "shown"]'),
        ('{"shipping": "shown", "spin": 3}', '{"shipping": "shown", "spin": 3}'),
    ],
)
def test_values_are_masked_by_name_and_by_path(text: str, redacted: str) -> None:
    assert REDACTION.of("json", text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hu',
        '{"password": "hush',
        '{"password": "hush\\',
        '{"password": {"a": "hush", "b": [',
        '{"card": {"number": 12hush',
        "{'password': 'hush', 'a': 1}",
        "{password: hush}",
        "password=hush&a=b",
        '{"message": "login failed, password: hush"}',
        '{"message": "{\\"password\\": \\"hush\\"}"}',
        '{"message": "{\\"password\\": \\"a\\\\\\"hush\\"}"}',
        '{"message": "{\\"secret\\": [\\"hush\\"]}"}',
        '{"message": "{\\"credentials\\": {\\"user\\": \\"hush\\"}}"}',
        '{"message": "{\\"a\\": \\"{\\\\\\"password\\\\\\": \\\\\\"hush\\\\\\"}\\"}"}',
        '{"message": "{\\u0022password\\u0022:\\u0022hush\\u0022}"}',
        '{"message": "Authorization: Bearer hush"}',
        '{"message": "<password>hush</password>"}',
        '{"message": "password => hush"}',
        '{"message": "no connection to postgres://app:hush@db/orders"}',
        '{"a" "b", }] "password": "hush"',
        ']]]]{"password":"hush"}',
        '{"password": hush hush, "a": 1}',
        '{"next": "/a?X-Api-Key=hush"}',
        '{"x_api_key": "hush"}',
        '{"api_key" : "hush"}',
    ],
)
def test_broken_and_cut_texts_are_masked_too(text: str) -> None:
    redacted = REDACTION.of("json", text)
    assert "hu" not in redacted
    assert "***" in redacted


@pytest.mark.parametrize(
    ("form", "redacted"),
    [
        ("a=1&b=2", "a=1&b=2"),
        ("a=1&password=hush&b", "a=1&password=***&b"),
        ("pass%77ord=hush", "pass%77ord=***"),
        ("Birth+Date=shown&birth_date=hush", "Birth+Date=shown&birth_date=***"),
        ("a=b;x_api_key=hush&c=d", "***&c=d"),
        ("a=b;password=hush&c=d", "a=***&c=d"),
        ("payload=%7B%22password%22%3A%22hush%22%7D&c=d", "payload=***&c=d"),
        ("to=http%3A%2F%2Fa:hush%40b&c=http://d", "to=***&c=http://d"),
        ("next=%2Fa%3FX-Api-Key%3Dhush", "***"),
        ("", ""),
    ],
)
def test_forms_are_masked_by_name(form: str, redacted: str) -> None:
    assert REDACTION.of("form", form) == redacted


def test_without_rules_the_usual_names_are_masked() -> None:
    assert BodyRedaction([], []).of("json", '{"card":{"number":1,"cvc":2}}') == '{"card":{"number":1,"cvc":"***"}}'
