"""table/compile.py: what a configuration says of header fields, decided before any request."""

from gateway.kernel.faults import CATALOGUE, Link
from gateway.kernel.http.response_headers import screen
from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.settings import parse
from gateway.table import Route, RouteTable
from gateway.table.compile import build_credentials, build_faults, build_routes
from gateway.table.public_urls import PublicOrigin
from tests.refusals import accepted
from tests.samples import Echo

TEXT = """
version: 1
organizations: [{id: acme}]
upstreams:
- {id: shop, targets: [{url: "http://shop.internal:3000/base"}, {url: "https://[::1]"}]}
defaults: DEFAULTS
routes:
- {id: one, match: {prefix: /shop}, upstream: shop, rewrite: {strip_prefix: /shop, add_prefix: /v2/}ROUTE}
- {id: open, match: {prefix: /open}, upstream: shop, auth: none}
- {id: other, match: {path: "/café/{id}"}, upstream: shop, rewrite: {strip_prefix: "/café"}}
"""


def table(route: str = "", defaults: str = "{}") -> RouteTable:
    text = TEXT.replace("ROUTE", f", {route}" if route else "").replace("DEFAULTS", defaults).replace("/v2/", "/v2")
    return build_routes(parse(text), {"shop": Echo()}, {})


def made(route: str = "", defaults: str = "{}") -> Route:
    return table(route, defaults).routes[0]


def kept(route: Route, *names: str) -> list[str]:
    """Which of these fields of a service go on."""
    return [
        name for name, _ in screen([(name.lower().encode(), b"v") for name in names], route.response_rules).lines[1:]
    ]


def test_the_way_back_is_the_way_there_reversed() -> None:
    api = PublicOrigin("https", "api.example.com", "")
    one = made().url_mapping
    assert one.url("http://shop.internal:3000/base/v2/x", api, "") == "https://api.example.com/shop/x"
    assert one.url("https://[::1]/v2/x", api, "") == "https://api.example.com/shop/x"
    other = table().routes[2]
    assert other.url_mapping.url("/base/7", api, "") == "/caf%C3%A9/7"
    assert other.prefix_field == "X-Forwarded-Prefix: /caf%C3%A9\r\n"
    assert (made().prefix_field, table().routes[1].prefix_field) == ("X-Forwarded-Prefix: /shop\r\n", "")
    named = made("headers: {request: {set: {Host: public.example}}}")
    assert named.host == b"Host: public.example\r\n"
    assert named.url_mapping.url("https://public.example/base/v2/x", api, "") == "https://api.example.com/shop/x"


def test_what_software_serves_is_removed_by_default() -> None:
    names = ("Server", "X-Powered-By", "X-AspNet-Version", "X-AspNetMvc-Version", "X-A")
    assert kept(made(), *(name.lower() for name in names)) == ["x-a"]
    everything = made(defaults="{headers: {response: {remove: []}}}")
    assert kept(everything, *names) == ["Server", "X-Powered-By", "x-aspnet-version", "x-aspnetmvc-version", "x-a"]
    assert kept(made(defaults="{headers: {response: {set: {X-B: b}}}}"), *names) == ["x-a"]
    assert made("headers: {response: {set: {Server: mine}}}").response_set == (("Server", "mine"),)
    assert made(defaults="{headers: {response: {set: {Server: mine}}}}").response_set == (("Server", "mine"),)


def test_a_route_has_the_rules_of_defaults_that_it_has_none_for() -> None:
    rules = "{request: {set: {A: d, B: d, C-1: d, D: d}, remove: [Q, R*]}, response: {set: {X: d, Y: d}, remove: [Z*]}}"
    own = "headers: {request: {set: {b: r, Q: r}, remove: [C-*, d]}, response: {set: {y: r, Zed: r}, remove: [x]}}"
    route = made(own, f"{{headers: {rules}}}")
    assert route.request_fields == b"A: d\r\nb: r\r\nQ: r\r\nAccept-Encoding: identity\r\n"
    assert [name for name in (b"A", b"B", b"C-1", b"C-9", b"D", b"Q", b"Rx", b"S") if route.request_filter[name]] == [
        b"S"
    ]
    assert route.response_set == (("y", "r"), ("Zed", "r"))
    assert kept(route, "X", "Y", "Zebra", "Zed", "W", "Server") == ["w", "Server"]
    assert table(own, f"{{headers: {rules}}}").routes[1].response_set == (("X", "d"), ("Y", "d"))


def test_what_replies_say_of_keys() -> None:
    private = ("Cache-Control", "private")
    assert made().privacy == (("Vary", "X-Api-Key"), private)
    assert made().own_set == (("Vary", "X-Api-Key"),)
    assert table().routes[1].privacy == table().routes[1].own_set == ()
    route = made("headers: {response: {set: {vary: Origin, X-A: a, Content-Type: text/x, Retry-After: '9'}}}")
    assert route.privacy == (private,)
    assert route.response_set[:2] == (("vary", "Origin, X-Api-Key"), ("X-A", "a"))
    assert route.own_set == (("vary", "Origin, X-Api-Key"), ("X-A", "a"))
    cached = made("headers: {response: {set: {Cache-Control: 'public, max-age=60'}}}")
    assert cached.privacy == cached.own_set == (("Vary", "X-Api-Key"),)


def test_what_is_no_routes_has_what_defaults_set() -> None:
    rules = "{headers: {response: {set: {X-A: a, Cache-Control: public}}}}"
    assert table(defaults=rules).unrouted == (("X-A", "a"), ("Vary", "X-Api-Key"))
    text = TEXT.replace("ROUTE", "").replace("DEFAULTS", rules).replace("/v2/", "/v2")
    own = build_routes(parse(f"{text}\nserver: {{limits_path: /limits}}"), {"shop": Echo()}, {}).routes[-1]
    assert own.own_set == (("X-A", "a"), ("Vary", "X-Api-Key"))


def test_fields_that_a_route_has_a_rule_for_are_not_added() -> None:
    assert made().unsaid == ()
    assert made("headers: {request: {set: {X-Forwarded-Prefix: /x}, remove: [forwarded]}}").unsaid == (
        "x-forwarded-prefix:",
        "forwarded:",
    )
    assert len(made("headers: {request: {remove: [X-Forwarded-*]}}").unsaid) == 5
    assert made("headers: {request: {remove: [X-*]}}").unsaid[0] == "x-forwarded-for:"


def test_a_route_has_the_maintenance_of_its_own_or_that_of_defaults() -> None:
    own, until = "maintenance: {message: Closed, retry_after: 90s}", "{maintenance: {until: '2027-01-15T08:00:00Z'}}"
    assert made().maintenance is None
    assert made(own, until).maintenance == MaintenanceNotice("Closed", 90)
    assert made(defaults=until).maintenance == MaintenanceNotice("Under maintenance", None, 1_800_000_000.0)


def test_the_urls_of_all_upstreams_of_a_split_are_made_public() -> None:
    text = (
        "version: 1\nupstreams:\n- {id: v1, targets: [{url: 'http://one.internal'}]}\n"
        "- {id: v2, targets: [{url: 'http://two.internal'}]}\n"
        "routes: [{id: r, match: {prefix: /}, split: [{upstream: v1}, {upstream: v2}]}]\n"
    )
    route = build_routes(parse(text), {"v1": Echo(), "v2": Echo()}, {}).routes[0]
    api = PublicOrigin("https", "api.example.com", "")
    for name in ("one", "two"):
        assert route.url_mapping.url(f"http://{name}.internal/x", api, "") == "https://api.example.com/x"


def test_faults_have_the_overrides_of_the_configuration() -> None:
    text = TEXT.replace("ROUTE", "").replace("DEFAULTS", "{}").replace("/v2/", "/v2")
    errors = "errors: {no_route: {code: 7, links: [{href: 'https://a.example', title: Help}]}}\n"
    faults = build_faults(parse(text + errors))
    assert (faults["no_route"].code, faults["no_route"].links) == (7, (Link("https://a.example", "Help"),))
    assert faults["rate_limited"] == CATALOGUE["rate_limited"]


def test_credentials_are_where_the_configuration_says() -> None:
    text = TEXT.replace("ROUTE", "").replace("DEFAULTS", "{}").replace("/v2/", "/v2")
    credentials = build_credentials(
        parse(f"{text}keys: [{{id: k, secret_sha256: {'a' * 64}}}]\nauth: {{key: {{header: X-K, query: k}}}}\n")
    )
    assert (credentials.key_header, credentials.key_query) == ("X-K", "k")


def test_hosts_and_listeners_have_tables_of_their_own() -> None:
    text = TEXT.replace("ROUTE", "").replace("DEFAULTS", "{}").replace("/v2/", "/v2")
    listeners = "server: {listeners: [{id: a, address: '127.0.0.1:0'}, {id: b, address: '127.0.0.1:0'}]}\n"
    own = "- {id: own, match: {prefix: /, host: a.example, listener: a}, upstream: shop}\n"
    of = build_routes(parse(text + own + listeners), {"shop": Echo()}, {})
    assert accepted(of.at("a").view("a.example", {}).match("GET", "/x")).id == "own"
    assert [each.id for each in of.at("b").routes] == ["one", "open", "other"]
