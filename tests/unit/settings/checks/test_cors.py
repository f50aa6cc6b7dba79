"""settings/checks/cors.py: rules for pages in browsers that cannot work."""

import pytest

from gateway.settings import parse
from tests.yaml_files import LEAST, complaints

ROUTE = 'version: 1\nupstreams: [{id: service, targets: [{url: "http://127.0.0.1:3000"}]}]\n'


@pytest.mark.parametrize(
    ("defaults", "route", "expected"),
    [
        (
            "{}",
            '{origins: ["*"], credentials: true}',
            [
                "routes[0].cors.origins: `*` in `origins` and `credentials` do not go together in browsers; name each of them"
            ],
        ),
        (
            '{origins: ["*"]}',
            "{credentials: true}",
            [
                "routes[0].cors.credentials: `*` in `origins` and `credentials` do not go together in browsers; name each of them"
            ],
        ),
        (
            '{origins: ["https://a.example"], credentials: true, headers: ["*"]}',
            "{origins: [], }",
            [
                "defaults.cors.headers: `*` in `headers` and `credentials` do not go together in browsers; name each of them"
            ],
        ),
        (
            "{}",
            "{credentials: true}",
            ["routes[0].cors: of no use without `origins`; name them, or write `*`"],
        ),
        ("{max_age: 1m}", "{}", ["defaults.cors: of no use without `origins`; name them, or write `*`"]),
    ],
)
def test_what_browsers_would_ignore_is_refused(defaults: str, route: str, expected: list[str]) -> None:
    text = f"{ROUTE}defaults: {{cors: {defaults}}}\nroutes: [{{id: a, match: {{path: /}}, upstream: service, cors: {route}}}]\n"
    assert [each.partition(" ")[2] for each in complaints(text)] == expected


def test_fields_that_cors_writes_are_not_set_beside_it() -> None:
    field = "headers: {response: {set: {access-control-allow-origin: x}}}"
    text = f'{ROUTE}defaults: {{cors: {{origins: ["*"]}}, {field}}}\nroutes:\n- {{id: a, match: {{path: /}}, upstream: service, {field}}}\n'
    assert [each.partition(": ")[2] for each in complaints(text)] == [
        "`access-control-allow-origin` is written by `cors`; leave it out here"
    ] * 2


def test_without_cors_they_are() -> None:
    parse(LEAST + "defaults: {headers: {response: {set: {Access-Control-Allow-Origin: x, X-Own: y}}}}\n")
