import pytest

from gateway.settings import parse
from tests.yaml_files import complaints


def configuration(*matches: str) -> str:
    routes = "".join(f"- {{id: r{n}, upstream: u, match: {match}}}\n" for n, match in enumerate(matches))
    return f"version: 1\nupstreams: [{{id: u, targets: [{{url: 'http://a'}}]}}]\nroutes:\n{routes}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{path: /a}", "{path: /b}"),
        ("{path: /a}", "{path: /a/}"),
        ("{path: /a}", "{path: /A}"),
        ("{path: /a/b}", "{path: '/a/{x}'}"),
        ("{path: '/a/{x}'}", "{path: '/a/{rest*}'}"),
        ("{path: '/a/{x}/c'}", "{path: '/a/b/{y}'}"),
        ("{prefix: /a}", "{prefix: /a/b}"),
        ("{prefix: /}", "{path: /}"),
        ("{prefix: /a}", "{path: /a}"),
        ("{path: /a, methods: [GET]}", "{path: /a, methods: [POST]}"),
        ("{path: '/a/{x}', methods: [GET]}", "{path: '/a/{y}', methods: [DELETE]}"),
        ("{path: /a, methods: [HEAD]}", "{path: /a, methods: [POST]}"),
    ],
)
def test_the_more_specific_route_or_the_other_method_is_no_conflict(first: str, second: str) -> None:
    assert len(parse(configuration(first, second)).routes) == 2


OWN = "server: {limits_path: /_gateway/limits}\n"


def test_the_gateways_own_path_is_nobody_elses() -> None:
    text = configuration(
        "{path: /_gateway/limits, methods: [POST]}",
        "{path: /_gateway/%6Cimits, methods: [GET]}",
        "{prefix: /_gateway/limits}",
    )
    assert complaints(text + OWN) == [
        "4:39 routes[0].match.path: `/_gateway/limits` is `server.limits_path`; choose another path for one of them",
        "5:39 routes[1].match.path: `/_gateway/%6Cimits` is `server.limits_path`; choose another path for one of them",
    ]
    assert (
        len(parse(text.replace("%6C", "L").replace("{path: /_gateway/limits,", "{path: '/{a}/limits',") + OWN).routes)
        == 3
    )


def test_its_id_is_taken_as_well() -> None:
    text = configuration("{path: /a}").replace("id: r0", "id: gateway.limits")
    assert complaints(text + OWN) == [
        "4:8 routes[0].id: `gateway.limits` is the id of the route at `server.limits_path`; choose another id"
    ]
    assert parse(text).route_ids() == {"gateway.limits"}
    assert parse(configuration("{path: /a}") + OWN).route_ids() == {"r0", "gateway.limits"}


def test_the_paths_of_the_document_are_nobody_elses_either() -> None:
    text = configuration("{path: /api.json}", "{path: /api.yaml, methods: [POST]}").replace("r1", "gateway.openapi")
    assert complaints(text + "server: {openapi_path: /api.json, limits_path: /api.yaml}\n") == [
        "4:39 routes[0].match.path: `/api.json` is `server.openapi_path`; choose another path for one of them",
        "5:8 routes[1].id: `gateway.openapi` is the id of the route at `server.openapi_path`; choose another id",
        "5:52 routes[1].match.path: `/api.yaml` is `server.limits_path`; choose another path for one of them",
        "6:24 server.openapi_path: `/api.yaml` is `server.limits_path`; choose another path for one of them",
    ]
    own = "server: {openapi_path: /api.json}\n"
    assert parse(configuration("{path: /a}") + own).route_ids() == {"r0", "gateway.openapi"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/{a}/x.json", "a path without parameters is wanted here"),
        ("/openapi", "the path of the document ends with `.json`; with `.yaml` in place of that it is YAML"),
    ],
)
def test_the_path_of_the_document_is_literal_and_ends_with_json(path: str, message: str) -> None:
    (found,) = complaints(configuration("{path: /a}") + f"server: {{openapi_path: '{path}'}}\n")
    assert message in found


@pytest.mark.parametrize("path", ["/{a}", "/a/{rest*}"])
def test_it_has_no_parameters(path: str) -> None:
    text = configuration("{path: /a}") + f"server: {{limits_path: '{path}'}}\n"
    assert complaints(text) == ["5:23 server.limits_path: a path without parameters is wanted here"]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("{path: /a}", "{path: /a}", "5:39 routes[1].match.path: route `r0` in line 4 takes every request that this one could"),
        ("{path: '/a/{x}'}", "{path: '/a/{y}'}", "5:39 routes[1].match.path: route `r0` in line 4 takes every request that this one could"),
        ("{path: /caf%C3%A9}", "{path: /café}", "5:39 routes[1].match.path: route `r0` in line 4 takes every request that this one could"),
        ("{path: /a, methods: [GET]}", "{path: /a}", "5:39 routes[1].match.path: route `r0` in line 4 takes the same paths for GET, HEAD"),
        ("{path: /a, methods: [GET]}", "{path: /a, methods: [HEAD]}", "5:39 routes[1].match.path: route `r0` in line 4 takes every request that this one could"),
        ("{prefix: /a}", "{path: '/a/{rest*}'}", "5:39 routes[1].match.path: route `r0` in line 4 takes every request that this one could"),
        ("{path: '/a/{rest*}', methods: [GET]}", "{prefix: /a}", "5:41 routes[1].match.prefix: route `r0` in line 4 takes the same paths for GET, HEAD"),
        ("{prefix: /}", "{path: '/{rest*}'}", "5:39 routes[1].match.path: route `r0` in line 4 takes every request that this one could"),
    ],
)  # fmt: skip
def test_routes_of_the_same_shape_are_in_each_others_way(first: str, second: str, message: str) -> None:
    assert complaints(configuration(first, second)) == [message]


def test_several_routes_can_be_in_the_way_of_one() -> None:
    assert complaints(
        configuration(
            "{path: /a, methods: [PUT]}", "{path: /a, methods: [POST]}", "{path: /a, methods: [PUT, POST, DELETE]}"
        )
    ) == [
        "6:39 routes[2].match.path: route `r0` in line 4 takes the same paths for PUT",
        "6:39 routes[2].match.path: route `r1` in line 5 takes the same paths for POST",
    ]


CONDITIONS = """\
version: 1
server: {listeners: [{id: internal, address: "127.0.0.1:0"}]}
upstreams: [{id: u, targets: [{url: "http://h"}]}]
routes:
"""


@pytest.mark.parametrize(
    ("one", "other", "ties"),
    [
        ("host: a.example", "host: a.example", True),
        ("host: A.example", "host: a.example", True),
        ("host: a.example", "host: b.example", False),
        ("host: a.example", "host: '*.example'", False),
        ("host: a.example", "methods: [GET]", False),
        ("headers: {X-A: '1'}", "headers: {x-a: '1'}", True),
        ("headers: {X-A: '1'}", "headers: {X-A: '2'}", False),
        ("headers: {X-A: '1'}", "headers: {X-B: '1'}", True),
        ("headers: {X-A: '1'}", "headers: {X-A: '1', X-B: '1'}", False),
        ("listener: internal", "listener: internal", True),
        ("listener: internal", "headers: {X-A: '1'}", False),
    ],
)
def test_routes_that_fit_equally_well_are_refused(one: str, other: str, *, ties: bool) -> None:
    text = CONDITIONS + "".join(
        [f"- {{id: r{number}, upstream: u, match: {{path: /, {each}}}}}\n" for number, each in enumerate((one, other))]
    )
    if not ties:
        parse(text)
        return
    (found,) = complaints(text)
    assert "route `r0` in line 5 takes" in found
    assert found.startswith("6:")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("listener: intern", "there is no listener `intern`; did you mean `internal`?"),
        ("headers: {X-Api-Key: k}", "`X-Api-Key` cannot be a condition"),
        ("headers: {Connection: close}", "`Connection` cannot be a condition"),
        ("host: 'a.example:80'", "`a.example:80` is not a host name"),
        ("host: 'https://a.example'", "`https://a.example` is not a host name"),
    ],
)
def test_conditions_that_cannot_hold_are_refused(condition: str, expected: str) -> None:
    (found,) = complaints(f"{CONDITIONS}- {{id: r, upstream: u, match: {{path: /, {condition}}}}}\n")
    assert expected in found


def test_the_combinations_of_header_fields_are_bounded() -> None:
    routes = [
        f"- {{id: r{number}, upstream: u, match: {{path: /{number}, headers: {{X-{number}: '1'}}}}}}\n"
        for number in range(9)
    ]
    (found,) = complaints(CONDITIONS + "".join(routes))
    assert "more than 256 combinations" in found
