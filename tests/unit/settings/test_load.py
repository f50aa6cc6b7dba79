import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.net.address import Address, TargetUrl
from gateway.settings import ConfigError, from_upstream, load, parse
from tests.yaml_files import DIGEST, LEAST, complaints


def reported(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    return [str(problem).replace(f"{file.parent}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "f.yaml:1:1: error: nothing is written here; a configuration begins with `version: 1`"),
        (b"# nothing\n", "f.yaml:1:1: error: nothing is written here; a configuration begins with `version: 1`"),
        (b"---\n", "f.yaml:1:1: error: nothing is written here; a configuration begins with `version: 1`"),
        (b"- 1\n", "f.yaml:1:1: error: a configuration is a mapping; it begins with `version: 1`"),
        (b"text\n", "f.yaml:1:1: error: a configuration is a mapping; it begins with `version: 1`"),
        (b"version: 1\nname: caf\xe9\n", "f.yaml:2:10: error: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"\xff\xfev\x00", "f.yaml:1:1: error: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"version: 1\nadmin:\n\taddress: a\n", "f.yaml:3:1: error: a tab cannot indent YAML; use spaces"),
        (
            b"version: 1\n\x00",
            "f.yaml:2:1: error: this character is not allowed in YAML; in double quotes, write `\\xNN` for it",
        ),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "f.yaml").write_bytes(content)
    assert reported(tmp_path / "f.yaml") == [message]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    assert reported(tmp_path / "none.yaml") == ["none.yaml: error: cannot be read: No such file or directory"]
    assert reported(tmp_path / "folder") == ["folder: error: this is a directory, not a file"]
    assert reported(tmp_path / "loop") == ["loop: error: cannot be read: Too many levels of symbolic links"]
    with pytest.raises(ConfigError, match="this is not the name of a file"):
        load("a\0b", {})


def test_a_byte_order_mark_and_other_line_ends_are_fine(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())
    assert load(tmp_path / "f.yaml").version == 1


def test_the_environment_is_that_of_the_process_unless_another_is_given(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        LEAST + "redis: {url: 'redis://a', key_prefix: '${PATH:+}'}\n".replace(":+", ":-none")
    )
    assert load(tmp_path / "f.yaml", {}).redis is not None
    (tmp_path / "f.yaml").write_text(LEAST + "organizations:\n- id: a\n  name: ${PATH}\n")
    assert load(tmp_path / "f.yaml").organizations[0].name == os.environ["PATH"]


def test_nothing_reported_can_move_a_cursor_or_begin_a_line(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"version: 1\n\x1b[2J: 1\n")
    assert reported(tmp_path / "f.yaml") == [
        "f.yaml:2:1: error: this character is not allowed in YAML; in double quotes, write `\\xNN` for it"
    ]
    assert complaints(LEAST + '"a\\nb\\e[2J": 1\nkeys: [{id: "\\e[2J\\n::error::"}]\n') == [
        "4:1 ***: unknown key",
        "5:8 keys[0].secret_sha256: missing; `gateway keys create` prints one",
        "5:13 keys[0].id: `�[2J�::error::` is not an id; use up to 128 letters, digits and `._:@-`, beginning with a letter or digit",
    ]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "f.yaml", {})
    assert "\x1b" not in caught.value.text() + caught.value.github()


def test_names_are_those_of_the_file_in_seconds_and_bytes() -> None:
    config = parse(
        f"""
        version: 1
        server:
          workers: auto
          drain_delay: 0s
          listeners: [{{id: public, address: "[::1]:0", trusted_proxies: [10.0.0.0/8], limits: {{header_bytes: 16KiB, body: 1GB}}}}]
        admin: {{address: "127.0.0.1:9901", token: ${{TOKEN:-}}}}
        redis: {{url: "redis://:pass@127.0.0.1:6379/0", timeout: 50ms}}
        organizations: [{{id: acme, disabled: true}}]
        plans: [{{id: gold, limits: [{{id: minute, max: 300, per: 1m}}]}}, {{id: free, limits: []}}]
        keys:
          - {{id: k, secret_sha256: {DIGEST}, organizations: [acme], plan: gold, routes: ["r*"], methods: [GET], expires: "2027-06-30T00:00:00Z"}}
          - {{id: l, secret_sha256: {DIGEST[::-1]}}}
        upstreams:
          - id: u
            targets: [{{url: "https://a.example/base", weight: 2}}]
            timeouts: {{connect: 2s, first_byte: 20s}}
            tls: {{verify: false, server_name: b.example}}
        defaults: {{envelope: {{mode: wrap, max_buffer: 1MiB}}, timeouts: {{first_byte: 15s, total: 40s, idle: 90s}}}}
        routes:
          - id: r1
            match: {{path: "/v1/{{id}}", methods: [GET]}}
            upstream: u
            envelope: {{mode: passthrough}}
            timeouts: {{total: 10m}}
          - {{id: r2, match: {{prefix: /v2}}, upstream: u, auth: none, rewrite: {{strip_prefix: /v2, add_prefix: /x}}}}
        errors: {{rate_limited: {{status: 503, links: [{{href: "https://a", title: b}}]}}}}
        """.replace("${TOKEN:-}", "'${TOKEN:-}'")
    )
    assert config.server.listeners[0].address == Address("::1", 0)
    assert config.server.listeners[0].limits.body == 10**9
    assert (config.server.workers, config.server.drain_delay) == (None, 0.0)
    assert config.admin.token is None
    assert config.redis is not None
    assert config.redis.timeout == 0.05
    assert config.upstreams[0].targets[0].url == TargetUrl("https", "a.example", 443, "/base")
    assert [plan.id for plan in config.plans] == ["gold", "free", "standard", "anonymous"]
    assert [config.plan_of(key).id for key in config.keys] == ["gold", "standard"]
    assert config.plan_of(config.routes[1]).limits[0].per == 60.0
    first, second = config.routes
    assert config.upstream_of(first) is config.upstreams[0]
    assert (config.envelope_of(first).mode, config.envelope_of(first).max_buffer) == ("passthrough", 1 << 20)
    assert config.envelope_of(second).mode == "wrap"
    assert config.timeouts_of(first).model_dump() == {"connect": 2.0, "first_byte": 15.0, "total": 600.0, "idle": 90.0}
    assert config.timeouts_of(second).total == 40.0
    assert ":pass" not in repr(config.redis)


def test_left_out_is_the_same_as_made_empty_by_a_variable() -> None:
    assert parse(LEAST + "admin:\n  token: ${TOKEN:-}\n").admin.token is None
    assert parse(LEAST + "admin:\n  token: ${TOKEN:-}\n", environ={"TOKEN": "s3cr3t"}).admin.token == SecretStr(
        "s3cr3t"
    )
    assert parse(LEAST + "server:\n  drain_delay: ${DELAY:-}\n").server.drain_delay == 5.0


def test_one_url_is_a_configuration() -> None:
    config = from_upstream("http://localhost:3000/base$${x}".removesuffix("$${x}"))
    assert config.upstreams[0].targets[0].url == TargetUrl("http", "localhost", 3000, "/base")
    assert config.server.listeners[0].address == Address("127.0.0.1", 8080)
    assert config.server.drain_delay == 0.0
    assert (config.routes[0].match.prefix, config.routes[0].auth) == ("/", "none")
    assert from_upstream("http://a", "0.0.0.0:0").server.listeners[0].address == Address("0.0.0.0", 0)


@pytest.mark.parametrize("url", ["localhost:3000", "http://${HOME}", 'http://"', "http://a\n", "", "http://é"])
def test_what_is_no_url_is_reported_without_a_file(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_upstream(url)
    assert {problem.file for problem in caught.value.problems} == {"command line"}
    assert caught.value.text().startswith("command line: error: ")


def test_problems_of_the_last_entry_have_its_index() -> None:
    text = LEAST.replace("routes: [", "routes: [{id: 5, match: 5, upstream: 5}, {}, ")
    assert [
        line.split(":")[1].split(" ")[1] for line in complaints(text.replace("upstream: service", "upstream: servise"))
    ] == [
        "routes[0].id",
        "routes[0].match",
        "routes[0].upstream",
        "routes[1].id",
        "routes[1].match",
        "routes[1].upstream",
        "routes[2].upstream",
    ]


def large(routes: int) -> str:
    entries = "".join(
        f'  - id: service.{n}\n    match:\n      path: "/v1/service{n}/{{id}}"\n      methods: [GET, POST]\n    upstream: u\n'
        f"    timeouts:\n      total: 10s\n    headers:\n      request: {{set: {{X-Service: s{n}}}, remove: [Cookie]}}\n"
        for n in range(routes)
    )
    return "version: 1\nupstreams: [{id: u, targets: [{url: 'http://a'}]}]\nroutes:\n" + entries


def test_a_thousand_routes_are_read_in_a_fraction_of_a_second(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(large(1_000))
    # A process of its own, because measuring coverage is slower than what is measured. Its CPU time, because others run
    # here.
    code = (
        "import sys; from time import process_time; from gateway.settings import load; started = process_time();"
        " load(sys.argv[1], {}); print(process_time() - started)"
    )
    measured = [
        subprocess.check_output([sys.executable, "-c", code, str(tmp_path / "f.yaml")], text=True) for _ in range(2)
    ]
    assert min(map(float, measured)) < 0.5


def test_hundreds_of_routes_may_each_have_its_problems() -> None:
    assert len(complaints(large(200).replace("upstream: u", "upstream: w").replace("10s", "10"))) == 400


_SYNTAX = (
    *"{}[]:,-#&*!|>'\"%@`?\n\t ~$",
    "  ",
    "\n  ",
    "- ",
    ": ",
    "<<: ",
    "&a ",
    "*a",
    "${A}",
    "${B:-}",
    "${file:/}",
    "!!str ",
)
_CONTENT = (
    "version: 1\n",
    "routes:",
    "upstreams:",
    "keys:",
    "server:",
    "listeners:",
    "match:",
    "path: /a",
    "id: a",
    "tls:",
    "1",
    "1s",
    "8MiB",
)
WORDS = st.sampled_from([*_SYNTAX, *_CONTENT])


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(),
        st.lists(WORDS, max_size=40).map("".join),
        st.lists(WORDS, max_size=40).map(lambda words: LEAST + "".join(words)),
    )
)
def test_any_text_is_a_configuration_or_has_problems(text: str) -> None:
    try:
        parse(text, environ={"A": "x"})
    except ConfigError as error:
        reported = {error.text(), error.json(), error.github()}
    else:
        return
    assert all(reported)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a", "/a", "1s", "GET"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "match", "path", "tls", "limits", "url", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
SECTIONS = [
    "server",
    "admin",
    "redis",
    "auth",
    "organizations",
    "plans",
    "keys",
    "upstreams",
    "defaults",
    "routes",
    "errors",
    "observability",
]


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*SECTIONS, "version", "include"]), VALUES | st.lists(VALUES, max_size=3), max_size=5
    )
)
def test_any_data_is_a_configuration_or_has_problems(data: dict[str, object]) -> None:

    try:
        parse(json.dumps(data))
    except ConfigError as error:
        reported = error.problems
    else:
        return
    assert reported
