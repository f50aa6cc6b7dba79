"""What the schema refuses, and in which words. Line 4 is the first that a case adds."""

import pytest

from tests.yaml_files import DIGEST, added, complaints, refusal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # keys of mappings
        ("sever: {}", "4:1 sever: unknown key; did you mean `server`?"),
        ("colour: red", "4:1 colour: unknown key"),
        ("admin: {tokens: x}", "4:9 admin.tokens: unknown key; did you mean `token`?"),
        ("admin: {port: 1}", "4:9 admin.port: unknown key; known here: `address`, `advertise`, `hosts`, `allow`, `deny`, `token`"),
        ("server:\n  listeners:\n    - limits: {bodi: 1MiB}", "6:16 server.listeners[0].limits.bodi: unknown key; did you mean `body`?"),
        ("auth: {key: {cookie: a}}", "4:14 auth.key.cookie: unknown key; known here: `header`, `query`"),
        ("plans: [{id: p, limits: [{id: a, max: 1, pr: 1s}]}]", "4:42 plans[0].limits[0].pr: unknown key; did you mean `per`?"),
        # kinds of value
        ("admin: []", "4:8 admin: a mapping is wanted here"),
        ("admin: text", "4:8 admin: a mapping is wanted here"),
        ("keys: {}", "4:7 keys.store: missing; write `store: redis`, or a list of keys with `- ` before each"),
        ("include: a.yaml", "4:10 include: a list is wanted here; put it into brackets: `[…]`"),
        ("errors: [a]", "4:9 errors: a mapping is wanted here"),
        ("keys: [text]", "4:8 keys[0]: a mapping is wanted here"),
        ("observability: {log: {access: yes}}", "4:31 observability.log.access: true or false is wanted here; write `true`"),
        ("observability: {log: {access: 1}}", "4:31 observability.log.access: true or false is wanted here"),
        ("observability: {log: {format: jsn}}", "4:31 observability.log.format: `auto`, `json` or `console` is wanted here; did you mean `json`?"),
        ("observability: {log: {format: 5}}", "4:31 observability.log.format: `auto`, `json` or `console` is wanted here"),
        ("organizations: [{id: a, name: 5}]", "4:31 organizations[0].name: text is wanted here; put it into quotes"),
        ("organizations: [{id: a, name: [b]}]", "4:31 organizations[0].name: text is wanted here"),
        ("plans: [{id: p, limits: [{id: a, max: '5', per: 1s}]}]", "4:39 plans[0].limits[0].max: a whole number is wanted here"),
        ("plans: [{id: p, limits: [{id: a, max: 1.5, per: 1s}]}]", "4:39 plans[0].limits[0].max: a whole number is wanted here"),
        ("plans: [{id: p, limits: [{id: a, max: 0, per: 1s}]}]", "4:39 plans[0].limits[0].max: must be 1 or more"),
        ("errors: {rate_limited: {status: 200}}", "4:33 errors.rate_limited.status: must be 400 or more"),
        ("errors: {rate_limited: {status: 600}}", "4:33 errors.rate_limited.status: must be 599 or less"),
        ("errors: {rate_limited: {message: ''}}", "4:34 errors.rate_limited.message: must not be empty"),
        ("redis: {url: 'redis://a', key_prefix: 'a b'}", "4:39 redis.key_prefix: does not look as it must: ^[A-Za-z0-9._:-]{1,64}$"),
        (
            "redis: {url: 'redis+sentinel://:s3cret@a'}",
            "4:14 redis.url: the URL of a Redis with Sentinels names the primary: `redis+sentinel://host:port,host:port/service`",
        ),
        ("redis: {url: 'redis://a', tls: {}}", "4:27 redis.tls: unknown key; known here: `url`, `username`, `password`, `password_file`, `key_prefix`, `timeout`, `on_failure`"),
        ("observability: {metrics: {buckets: []}}", "4:36 observability.metrics.buckets: at least one is needed here"),
        ("server: {listeners: []}", "4:21 server.listeners: at least one is needed here"),
        # what is missing
        ("redis: {timeout: 1s}", "4:8 redis.url: missing"),
        ("plans: [{id: p}]", "4:9 plans[0].limits: missing; write `limits: []` for no limit"),
        ("keys: [{id: k}]", "4:8 keys[0].secret_sha256: missing; `gateway keys create` prints one"),
        ("admin:", "4:7 admin: there is no value here; write one, or leave the key out"),
        # what comes later
        ("server: {workers: 2}", "4:19 server.workers: 2 workers would count by themselves, each up to the whole limit; add `redis`, where they count together, or write `auto` or `1`"),
        ("server: {listeners: [{redirect: http}]}", "4:33 server.listeners[0].redirect: `https` is wanted here; did you mean `https`?"),
        ("plans: [{id: p, limits: [{id: a, max: 1, per: 1s, cost: 2}]}]", "4:51 plans[0].limits[0].cost: not supported yet"),
        ("plans: [{id: p, limits: [], cost: {}}]", "4:29 plans[0].cost: not supported yet"),
        # keys that are elsewhere
        ("keys: {store: redis}", "4:15 keys.store: there is no Redis to keep keys in; add `redis: {url: …}`"),
        ("redis: {url: 'redis://a'}\nkeys: {store: etcd}", "5:15 keys.store: `redis` is wanted here"),
        ("redis: {url: 'redis://a'}\nkeys: {store: redis, stor: x}", "5:22 keys.stor: unknown key; did you mean `store`?"),
        ("keys: 5", "4:7 keys: a list is wanted here; put it into brackets: `[…]`"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_reported_where_it_stands(text: str, message: str) -> None:
    assert added(text) == [message]


def test_a_misspelt_key_is_not_missing_as_well() -> None:
    assert complaints(
        "versoin: 1\nroutes: [{id: a, match: {prefix: /}, upstreem: u}]\nupstreams: [{id: u, targets: [{url: 'http://a'}]}]\n"
    ) == [
        "1:1 versoin: unknown key; did you mean `version`?",
        "2:38 routes[0].upstreem: unknown key; did you mean `upstream`?",
    ]


@pytest.mark.parametrize("version", ["2", "'1'", "1.0", "true"])
def test_there_is_one_version(version: str) -> None:
    assert complaints(
        f"version: {version}\nroutes: [{{id: a, match: {{prefix: /}}, upstream: u}}]\nupstreams: [{{id: u, targets: [{{url: 'http://a'}}]}}]\n"
    ) == ["1:10 version: only version 1 of the format is known; write `version: 1`"]


def test_too_many_are_distinguished_from_too_few() -> None:
    buckets = ", ".join(f"{n}s" for n in range(1, 66))
    assert added(f"observability: {{metrics: {{buckets: [{buckets}]}}}}") == [
        "4:36 observability.metrics.buckets: at most 64 are possible here"
    ]


@pytest.mark.parametrize("name", ["routes", "methods"])
def test_a_key_that_may_do_nothing_is_no_key(name: str) -> None:
    assert added(f"keys: [{{id: k, secret_sha256: {DIGEST}, {name}: []}}]") == [
        f"4:{99 + len(name)} keys[0].{name}: an empty list allows nothing; leave it out for all"
    ]


def test_unknown_names_of_headers_are_reported_at_their_position() -> None:
    message = complaints(
        """\
        version: 1
        upstreams: [{id: u, targets: [{url: "http://a"}]}]
        routes:
          - id: a
            match: {prefix: /}
            upstream: u
            headers: {request: {set: {"bad name": x, X-Good: 5}}}
        """
    )
    assert message == [
        "7:31 routes[0].headers.request.set.***: `…` is not the name of a header field; use letters, digits and `-`",
        "7:54 routes[0].headers.request.set.X-Good: a value in quotes is wanted here, not a bare number",
    ]


def test_nothing_of_a_value_from_outside_is_repeated() -> None:
    canary = "c4n4ry/v4lue"
    error = refusal(
        """\
        version: ${CANARY}
        admin: {address: "${CANARY}", token: "${CANARY} ${CANARY}"}
        redis: {url: "${CANARY}", key_prefix: "${CANARY}"}
        server:
          drain_delay: ${CANARY}
          listeners: [{id: "${CANARY}", trusted_proxies: ["${CANARY}", "${NETWORK}"], limits: {body: "${CANARY}"}}]
        plans: [{id: p, limits: [{id: m, max: "${CANARY}", per: 1s}]}]
        keys:
          - id: k
            secret_sha256: ${CANARY}
            plan: ${UNKNOWN}
            organizations: ["${UNKNOWN}"]
            routes: ["${UNKNOWN}"]
            expires: ${CANARY}
            methods: ["${CANARY}"]
        upstreams: [{id: u, targets: [{url: "http://${CANARY}@a"}]}, {id: "${UNKNOWN}"}, {id: "${UNKNOWN}"}]
        routes:
          - {id: r, match: {path: "/{${CANARY}}"}, upstream: "${UNKNOWN}", auth: "${CANARY}"}
          - {id: s, match: {path: /a}, upstream: "${UNKNOWN2}", rewrite: {strip_prefix: "/${UNKNOWN}"}}
        observability: {log: {access: "${CANARY}"}}
        """,
        {"CANARY": canary, "NETWORK": "10.77.77.77/8", "UNKNOWN": "unkn0wn", "UNKNOWN2": "unkn0wn2"},
    )
    assert len(error.problems) >= 20
    for shown in (error.text(), error.json(), error.github(), repr(error.problems)):
        for outside in (canary, "10.77.77.77", "10.0.0.0/8", "unkn0wn"):
            assert outside not in shown


def test_secrets_in_the_file_are_not_repeated_either() -> None:
    error = refusal(
        """\
        version: 1
        admin: {token: "s3cr3t token", tokn: s3cr3t}
        redis: {url: "redis://user:s3cr3t@:99999"}
        keys:
          - id: k
            secret_sha256: s3cr3t
            secret: s3cr3t
        upstreams:
          - id: u
            targets: [{url: "http://user:s3cr3t@host"}]
        routes:
          - id: r
            match: {prefix: /}
            upstream: u
            headers: {request: {set: {Authorization: "Bearer s3cr3t\\r"}}}
        """
    )
    assert len(error.problems) == 7
    assert "s3cr3t" not in error.text() + error.json() + error.github()


def test_numbers_from_variables_stand_without_quotes() -> None:
    assert added("plans: [{id: p, limits: [{id: a, max: '${MAX}', per: 1s}]}]", {"MAX": "5"}) == [
        "4:39 plans[0].limits[0].max: a whole number is wanted here; a variable is one where it stands without quotes"
    ]


def test_a_mapping_in_place_of_a_list() -> None:
    assert added("include:\n  a: b") == ["5:3 include: a list is wanted here; put `- ` before each entry"]
