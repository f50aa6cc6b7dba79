"""What parts that are right by themselves mean to one another."""

from pathlib import Path

import pytest

from gateway.settings import parse
from tests.authority import Authority, encrypted
from tests.yaml_files import DIGEST, LEAST, added, complaints

OTHER = "f" * 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # ids
        ("organizations: [{id: a}, {id: b}, {id: a}]", ["4:40 organizations[2].id: `a` is the id of another one, in line 4"]),
        ("plans:\n- {id: a, limits: []}\n- {id: a, limits: []}", ["6:8 plans[1].id: `a` is the id of another one, in line 5"]),
        # keys
        (
            f"keys:\n- {{id: a, secret_sha256: {DIGEST}}}\n- {{id: b, secret_sha256: {DIGEST}}}",
            ["6:26 keys[1].secret_sha256: another key has the same secret, in line 5"],
        ),
        (f"keys: [{{id: a, secret_sha256: {DIGEST}, plan: standrd}}]", ["4:103 keys[0].plan: there is no plan `standrd`; did you mean `standard`?"]),
        (f"keys: [{{id: a, secret_sha256: {DIGEST}, plan: x}}]", ["4:103 keys[0].plan: there is no plan `x`; declare it under `plans`"]),
        (
            f"organizations: [{{id: acme}}]\nkeys: [{{id: a, secret_sha256: {DIGEST}, organizations: [acne, acme, acme]}}]",
            [
                "5:113 keys[0].organizations[0]: there is no organization `acne`; did you mean `acme`?",
                "5:125 keys[0].organizations[2]: `acme` stands here twice",
            ],
        ),
        (
            f"keys: [{{id: a, secret_sha256: {DIGEST}, routes: ['al*', 'encoding.*', 'all.', alle]}}]",
            [
                "4:113 keys[0].routes[1]: `encoding.*` matches no route",
                "4:127 keys[0].routes[2]: `all.` matches no route; did you mean `all`?",
                "4:135 keys[0].routes[3]: `alle` matches no route; did you mean `all`?",
            ],
        ),
        # plans
        (
            "plans: [{id: p, limits: [{id: a, max: 1, per: 1s}, {id: a, max: 2, per: 1m}, {id: c, max: 3, per: 60s}]}]",
            [
                "4:57 plans[0].limits[1].id: `a` is the id of another limit of this plan",
                "4:99 plans[0].limits[2].per: another limit of this plan has the same `per`; keep the tighter one",
            ],
        ),
        (
            "plans: [{id: p, limits: [{id: a, max: 1000001, per: 1s}, {id: b, max: 10, per: 10us}]}]",
            ["4:26 plans[0].limits[0]: finer than one call per microsecond; lower `max`, or write `limits: []` for no limit"],
        ),
        # faults
        ("errors: {rate_limted: {status: 503}}", ["4:10 errors.rate_limted: there is no fault of this name; did you mean `rate_limited`?"]),
        ("errors: {teapot: {status: 418}}", ["4:10 errors.teapot: there is no fault of this name; `gateway errors` lists them"]),
        # header fields of the gateway itself
        ("auth: {key: {header: X-Request-Id}}", ["4:22 auth.key.header: `X-Request-Id` has another meaning already"]),
        ("auth: {caller_headers: {id: x-caller-plan}}", ["4:29 auth.caller_headers.id: `X-Caller-Plan` has another meaning already"]),
        ("auth: {key: {header: Host}}", ["4:22 auth.key.header: `Host` has a meaning of its own in HTTP"]),
        ("auth: {organization_header: Content-Length}", ["4:29 auth.organization_header: `Content-Length` has a meaning of its own in HTTP"]),
        # observability
        ("observability: {metrics: {buckets: [1s, 1s]}}", ["4:36 observability.metrics.buckets: the bounds of buckets ascend"]),
    ],
)  # fmt: skip
def test_contradictions_are_reported_where_they_stand(text: str, message: list[str]) -> None:
    assert added(text) == message


def route(text: str) -> list[str]:
    return complaints(
        "version: 1\n"
        "upstreams: [{id: u, targets: [{url: 'http://a'}]}]\n"
        f"routes:\n- {{id: r, match: {{path: /v1/a, methods: [GET]}}, upstream: u, {text}}}\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plan: p", "4:3 routes[0]: `plan` is for routes with `auth: none`; elsewhere the key has the plan"),
        ("auth: none, plan: p", "4:80 routes[0].plan: there is no plan `p`; declare it under `plans`"),
        ("auth: none, plan: anonymos", "4:80 routes[0].plan: there is no plan `anonymos`; did you mean `anonymous`?"),
        ("rewrite: {strip_prefix: /v2}", "4:86 routes[0].rewrite.strip_prefix: `/v2` is not how `/v1/a` begins"),
        ("rewrite: {strip_prefix: /v}", "4:86 routes[0].rewrite.strip_prefix: `/v` is not how `/v1/a` begins"),
        ("rewrite: {strip_prefix: /v1/}", "4:86 routes[0].rewrite.strip_prefix: a prefix has no slash at its end; it means this path and everything below it"),
        ("rewrite: {add_prefix: '/{a}'}", "4:84 routes[0].rewrite.add_prefix: a prefix has no parameters; use `path` with `{rest*}` at its end"),
        ("headers: {request: {set: {Content-Length: '5'}}}", "4:81 routes[0].headers.request: `Content-Length` belongs to the connection; the gateway writes it itself"),
        ("headers: {response: {remove: [Transfer-Encoding]}}", "4:82 routes[0].headers.response: `Transfer-Encoding` belongs to the connection; the gateway writes it itself"),
        ("headers: {request: {set: {A: b}, remove: [a]}}", "4:81 routes[0].headers.request: `a` stands here twice"),
        ("headers: {request: {set: {x-caller-id: b}}}", "4:88 routes[0].headers.request.set.x-caller-id: `x-caller-id` is written by the gateway itself"),
        ("headers: {request: {set: {x-tenant-org-id: b}}}", "4:88 routes[0].headers.request.set.x-tenant-org-id: `x-tenant-org-id` is written by the gateway itself"),
        ("headers: {response: {remove: ['X-*-Id']}}", "4:92 routes[0].headers.response.remove[0]: `X-*-Id`: a `*` stands at the end only, behind what the names begin with; write one such as `X-Internal-*`"),
        ("headers: {request: {remove: ['*']}}", "4:91 routes[0].headers.request.remove[0]: `*`: a `*` stands at the end only, behind what the names begin with; write one such as `X-Internal-*`"),
        ("headers: {response: {remove: [X-Request-Id]}}", "4:92 routes[0].headers.response.remove[0]: `X-Request-Id` is written by the gateway itself"),
        ("envelope: {mode: raw}", "4:79 routes[0].envelope.mode: `auto`, `wrap` or `passthrough` is wanted here"),
        ("timeouts: {total: 0s}", "4:80 routes[0].timeouts.total: must be longer than 0"),
    ],
)  # fmt: skip
def test_routes_are_consistent(text: str, message: str) -> None:
    assert route(text) == [message]


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ("{}", "4:18 routes[0].match: exactly one of `path` and `prefix` is wanted here"),
        ("{path: /a, prefix: /a}", "4:18 routes[0].match: exactly one of `path` and `prefix` is wanted here"),
        ("{path: a}", "4:25 routes[0].match.path: a path starts with `/`"),
        ("{path: '/{a}/{a}'}", "4:25 routes[0].match.path: `{a}` stands here twice"),
        (
            "{prefix: '/{a}'}",
            "4:27 routes[0].match.prefix: a prefix has no parameters; use `path` with `{rest*}` at its end",
        ),
        ("{prefix: /a, methods: [GET, GET]}", "4:46 routes[0].match.methods[1]: `GET` stands here twice"),
        ("{prefix: /a, methods: [TRACE]}", "4:41 routes[0].match.methods[0]: TRACE never passes the gateway"),
        ("{prefix: /a, query: b}", "4:31 routes[0].match.query: not supported yet"),
    ],
)
def test_what_a_route_matches_is_checked(match: str, message: str) -> None:
    assert complaints(
        f"version: 1\nupstreams: [{{id: u, targets: [{{url: 'http://a'}}]}}]\nroutes:\n- {{id: r, match: {match}, upstream: u}}\n"
    ) == [message]


def upstream(text: str, directory: Path = Path()) -> list[str]:
    return complaints(
        f"version: 1\nupstreams:\n- {{id: u, {text}}}\nroutes: [{{id: r, match: {{prefix: /}}, upstream: u}}]\n",
        directory=directory,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "targets: [{url: 'http://a'}, {url: 'http://b'}, {url: 'http://A:80/'}]",
            "3:65 upstreams[0].targets[2].url: `http://a:80` stands here twice; give it more `weight`",
        ),
        ("targets: []", "3:20 upstreams[0].targets: at least one is needed here"),
        ("targets: [{url: 'http://a', weight: 0}]", "3:47 upstreams[0].targets[0].weight: must be 1 or more"),
        (
            "targets: [{url: 'http://a'}], tls: {verify: false}",
            "3:41 upstreams[0].tls: of no use: no target's URL begins with `https://`",
        ),
        (
            "targets: [{url: 'https://a'}], tls: {private_key: k}",
            "3:47 upstreams[0].tls: `private_key` is of no use without `certificate`",
        ),
        (
            "targets: [{url: 'https://a'}], tls: {ca: k, verify: false}",
            "3:47 upstreams[0].tls: `ca` is of no use with `verify: false`",
        ),
        (
            "targets: [{url: 'https://a'}], tls: {certificate: \"-----BEGIN CERTIFICATE-----\\nMII\"}",
            "3:61 upstreams[0].tls.certificate: the path of a file is wanted here, not its content",
        ),
        (
            "targets: [{url: 'http://a'}], outlier_detection: {base_ejection_time: 6m}",
            "3:60 upstreams[0].outlier_detection: `max_ejection_time` is shorter than `base_ejection_time`",
        ),
        (
            "targets: [{url: 'http://a'}], breaker: {max_open_time: 1s}",
            "3:50 upstreams[0].breaker: `max_open_time` is shorter than `base_open_time`",
        ),
        ("targets: [{url: 'http://a'}], retries: {}", "3:41 upstreams[0].retries: unknown key; did you mean `retry`?"),
    ],
)
def test_upstreams_are_consistent(text: str, message: str) -> None:
    assert upstream(text) == [message]


def test_certificates_are_there(tmp_path: Path) -> None:
    assert upstream("targets: [{url: 'https://a'}], tls: {ca: ca.pem, certificate: /none/c.pem}", tmp_path) == [
        f"3:52 upstreams[0].tls.ca: there is no readable file `{tmp_path}/ca.pem`",
        "3:73 upstreams[0].tls.certificate: there is no readable file `/none/c.pem`",
    ]


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (
            "ca: a.key",
            "3:52 upstreams[0].tls.ca: `{folder}/a.key`: there is no certificate in PEM form in it (NO_CERTIFICATE_OR_CRL_FOUND)",
        ),
        (
            "certificate: a.crt, private_key: b.key",
            "3:81 upstreams[0].tls.private_key: `{folder}/b.key`: this is not the private key of the certificate",
        ),
        (
            "certificate: a.crt",
            "3:61 upstreams[0].tls.certificate: `{folder}/a.crt`: this is not a certificate with its private key in PEM form (not PEM)",
        ),
        (
            "certificate: a.crt, private_key: locked.key",
            "3:81 upstreams[0].tls.private_key: `{folder}/locked.key`: the private key is encrypted; nobody is there to ask for its password",
        ),
    ],
)
def test_certificates_are_tried(tmp_path: Path, tls: str, message: str) -> None:
    authority = Authority(tmp_path)
    key = authority.write("a", "a.example")[1]
    authority.write("b", "b.example")
    (tmp_path / "locked.key").write_bytes(encrypted(key))
    assert upstream(f"targets: [{{url: 'https://a'}}], tls: {{{tls}}}", tmp_path) == [
        message.replace("{folder}", str(tmp_path))
    ]


def test_the_authorities_that_a_redis_url_names_are_tried(tmp_path: Path) -> None:
    key = Authority(tmp_path).write("a", "a.example")[1]
    assert added(f"redis: {{url: 'rediss://:s3cret@a?ssl_ca_certs={key}'}}") == [
        f"4:14 redis.url: `{key}`: there is no certificate in PEM form in it (NO_CERTIFICATE_OR_CRL_FOUND)"
    ]


def test_the_files_that_a_redis_url_names_are_there() -> None:
    url = "rediss://user:s3cret@a?ssl_check_hostname=no&ssl_ca_certs=/none/ca.pem"
    assert added(f"redis: {{url: '{url}'}}") == ["4:14 redis.url: there is no readable file `/none/ca.pem`"]


def test_there_is_something_to_serve() -> None:
    assert complaints("version: 1\n") == [
        "1:1 there are no routes, so nothing can be served; declare one under `routes`"
    ]
    assert complaints("version: 1\nroutes: []\n") == [
        "1:1 there are no routes, so nothing can be served; declare one under `routes`"
    ]


def test_everything_is_reported_in_one_run_in_the_order_of_the_file() -> None:
    message = complaints(
        f"""\
        version: 1
        server: {{drain_delay: 5}}
        keys:
          - {{id: k, secret_sha256: {DIGEST}, plan: gold, expires: 2027-01-01}}
          - {{id: k, secret_sha256: {OTHER}, routes: ["x.*"]}}
        upstreams:
          - {{id: u, targets: [{{url: "http://a"}}]}}
        routes:
          - {{id: a, match: {{path: "/a/{{x}}"}}, upstream: v, timeouts: {{total: 5}}}}
          - {{id: b, match: {{path: "/a/{{y}}", methods: [GET]}}, upstream: u}}
          - {{id: c, match: {{path: /c, methods: [get]}}, upstream: u}}
        plans: 5
        observabilty: {{}}
        """
    )
    assert [line.split(" ")[1].rstrip(":") for line in message] == [
        "server.drain_delay",
        "keys[0].expires",
        "keys[1].id",
        "keys[1].routes[0]",
        "routes[0].upstream",
        "routes[0].timeouts.total",
        "routes[1].match.path",
        "routes[2].match.methods[0]",
        "plans",
        "observabilty",
    ]  # not keys[0].plan: what `plans` would declare cannot be known


def test_what_cannot_be_read_is_not_reported_as_missing() -> None:
    assert complaints(
        f"""\
        version: 1
        plans: [{{id: gold, limits: [{{id: a, max: many, per: 1s}}]}}]
        keys: [{{id: k, secret_sha256: {DIGEST}, plan: gold, organizations: [acme]}}]
        organizations: [{{id: ${{ACME}}}}]
        upstreams: [{{id: 5, targets: []}}]
        routes: [{{id: r, match: {{prefix: /}}, upstream: "5"}}]
        """.replace("${ACME}", "'${ACME}'")
    ) == [
        "2:42 plans[0].limits[0].max: a whole number is wanted here",
        "4:22 organizations[0].id: `ACME` is not set in the environment; set it, or write `${ACME:-default}`",
        "5:18 upstreams[0].id: an id in quotes is wanted here, not a bare number",
        "5:30 upstreams[0].targets: at least one is needed here",
    ]


def test_built_in_plans_need_no_declaration() -> None:
    config = parse(
        LEAST + f"keys: [{{id: a, secret_sha256: {DIGEST}, plan: standard}}, {{id: b, secret_sha256: {OTHER}}}]\n"
    )
    assert [config.plan_of(key).limits[0].max for key in config.keys] == [300, 300]


@pytest.mark.parametrize(
    "text",
    [
        "server: {workers: 2}\nredis: {url: 'redis://a'}",
        "server: {workers: 1}",
        "server: {workers: auto}",
        "redis: {url: 'redis://a'}",
    ],
)
def test_workers_that_share_a_store_may_be_many(text: str) -> None:
    parse(LEAST + text)
