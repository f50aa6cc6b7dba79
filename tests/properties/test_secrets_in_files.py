"""No secret appears in what is said of a configuration, however the file around it is broken."""

import json

import pytest

from gateway.settings import ConfigError, parse

MARK = "hunter2"
KEY = "gw_" + "Qz7" * 10 + "PLAINKEY"
PASSWORDS = [
    MARK,
    *(f"{sign}{MARK}" for sign in "[]{},&*!|>%@`'\"#:?-$\\=\uff03"),
    *(f"{MARK}{sign}" for sign in "[]{},:'\"#@/?"),
    *(
        f"a{sign}{MARK}{sign}b"
        for sign in ("@", ", ", " ", ": ", " #", "[", "]", "{", "}", "/", "?", "'", '"', "${", "\uff03", "%4", "&", ";")
    ),
]
URLS = [
    f"{scheme}{login}{password}{host}"
    for password in (*PASSWORDS, KEY)
    for scheme, login, host in [
        ("redis://", ":", "@h:x/0"),
        ("redis://", "u:", ""),
        ("rediss://", "", "@h/0/0"),
        ("redis://", "h/0?password=", "&x"),
    ]
]
URLS += [
    f"{before}{password}"
    for password in PASSWORDS[::8]
    for before in ("redis ://u:", "redis://u:a@", "redis//", "u:a@")
]
GOOD = "version: 1\nupstreams: [{id: s, targets: [{url: 'http://127.0.0.1:1'}]}]\nroutes: [{id: r, upstream: s, match: {prefix: /}}]\n"
FILES = {
    "redis.url, block": "redis:\n  url: %s\n",
    "redis.url, flow": "redis: {url: %s, key_prefix: 7}\n",
    "redis.url, next line": "redis:\n  url:\n    %s\n  key_prefix: 7\n",
    "redis.url, single quotes": "redis: {url: '%s'}\n",
    "redis.url, double quotes": 'redis: {url: "%s"}\n',
    "redis.url, default": "redis: {url: '${REDIS:-%s}'}\n",
    "target": "upstreams: [{id: t, targets: [{url: '%s'}]}]\n",
}
SECRETS = {
    "token, block": "admin:\n  token: %s\n  adress: 1\n",
    "token, flow": "admin: {token: %s, adress: 1}\n",
    "token, list": "admin: {token: [%s]}\n",
    "token, block scalar": "admin:\n  token: |\n    %s\n    x y\n",
    "token, two lines": "admin:\n  token: 'x\n    %s'\n  adress: 1\n",
    "token, misspelt": "admin: {tokn: %s}\n",
    "token, other name": "admin:\n  bearer: %s\n",
    "token, mapping": "admin: {token: {value: %s}}\n",
    "password": "redis: {url: 'redis://h:1/0', pasword: %s}\n",
    "header": "defaults: {headerz: 1}\nroutes: [{id: q, upstream: s, match: {prefix: /q}, headers: {request: {set: {X-Sig: ' %s'}}}}]\n",
    "header, list": "routes: [{id: q, upstream: s, match: {prefix: /q}, headers: {request: {set: [Authorization, %s]}}}]\n",
    "header, block": "routes:\n  - id: q\n    headers:\n      request:\n        set:\n          id: 7\n          X-A: %s\n          X-B: [1]\n",
    "anchors": "x: &x {secret_sha256: %s}\nkeys: [{<<: *x, id: a}]\n",
    "a tab": "admin:\n\ttoken: %s\n",
    "a name that other sections have": "admin: {auth: %s}\nredis: {url: 'redis://h', id: %s, path: %s}\n",
    "a name that other sections have, below": "redis:\n  url: redis://h\n  auth: %s\nadmin:\n  - message: %s\n",
    "a name that routes have, of a target": "upstreams: [{id: t, auth: %s, targets: [{url: 'http://h', auth: %s}]}]\n",
    "at the edge": "admin:\n  address: h:1\nauth: %s\n",
    "goes on at the edge": "admin:\n  token: [x\n%s]\n",
    "goes on behind a tab": "routes:\n - id: q\n   headers: {request: {set: {id: x\n\t%s}}}\n",
    "goes on like a key": "admin:\n  token: x\n    id: %s\n",
    "goes on in quotes like a key": 'redis:\n  password: "x\n  key_prefix: %s"\n',
    "without a blank": "redis:\n  url: redis://h\n  password:%s\n",
    "without a colon": "redis:\n  url: redis://h\n  password %s\n",
    "an equals sign": "redis:\n  url: redis://h\n  password = %s\n",
    "password file": "redis: {url: 'redis://h', password_file: '%s'}\n",
    "password file, block": "redis:\n  url: redis://h\n  password_file: %s\n",
    "a tag": "redis: {url: 'redis://h', password: !%s}\n",
    "a tag before quotes": 'redis:\n  url: !"redis ://u:%s@h"\n    key_prefix: a\n',
    "two values": "redis:\n  url: redis://h\n  password: %s %s\n    timeout: 1s\n",
    "name and value swapped": "redis: {url: 'redis://h', '%s': password}\n",
    "name and value of a field swapped": "routes: [{id: q, upstream: s, match: {prefix: /q}, headers: {request: {set: {'Bearer %s': X-A}}}}]\n",
    "JSON": '{"version":1,"admin":{"token":"%s"},"keys":[{"id":7}]}\n',
}
KEYS = {
    "digest": "keys: [{id: a, secret_sha256: %s}]\n",
    "digest, next line": "keys:\n  - id: a\n    secret_sha256:\n      %s\n",
    "digest, never closed": 'keys:\n  - id: a\n    secret_sha256: "%s\n',
    "instead of a mapping": "keys:\n  - %s\n",
    "as an id": "keys: [{id: '%s', secret_sha256: aa}]\n",
    "as an id with blanks": "keys: [{id: '%s x', secret_sha256: aa}]\n",
    "as the name of a key": "keys: [{id: a, %s: x}]\n",
    "as a plan": "keys: [{id: a, plan: %s, secret_sha256: aa}]\n",
    "as a path": "routes: [{id: r, upstream: s, match: {path: '/%s//'}}]\n",
    "as a query": "routes: [{id: r, upstream: s, match: {path: '/a?X-Api-Key=%s'}}]\n",
    "as a link": "errors: {rate_limited: {links: [{href: 'ftp://x/?k=%s', title: a}]}}\n",
    "as an organisation": "keys: [{id: a, organizations: ['%s'], secret_sha256: aa}]\n",
}
CASES = [
    # Every third URL in each file, another third in the next; and so with passwords.
    *((name, text, secret) for start, (name, text) in enumerate(FILES.items()) for secret in URLS[start % 3 :: 3]),
    *(
        (name, text, secret)
        for start, (name, text) in enumerate(SECRETS.items())
        for secret in PASSWORDS[start % 3 :: 3]
    ),
    *((name, text, KEY) for name, text in (KEYS | SECRETS).items()),
]


FROM_OUTSIDE = [
    "upstreams: [{id: t, targets: [{url: 'http://${SECRET}'}]}]\n",
    "upstreams: [{id: t, targets: [{url: 'http://a${SECRET}:1'}]}]\n",
    "admin: {address: '${SECRET}', hosts: ['${SECRET}']}\n",
    "redis: {url: 'redis://:${SECRET}@h:x'}\n",
    "redis: {url: 'redis://h', password_file: '${SECRET}'}\n",
    "keys: [{id: '${SECRET}', plan: '${SECRET}', expires: '2026-${SECRET}'}]\n",
    "routes: [{id: q, upstream: '${SECRET}', match: {path: '/{${SECRET}'}}]\n",
    "server: {listeners: [{id: a, address: 'h:1', tls: {certificates: [{certificate: '/${SECRET}'}]}}]}\n",
]


def messages_of(text: str, **environment: str) -> str:
    """Everything that is said of a file, in every form; nothing when it is in order."""
    try:
        parse(text, environ=environment)
    except ConfigError as error:
        return "\n".join((error.text(), error.text(color=True), error.json(), error.github(), json.dumps(str(error))))
    return ""


@pytest.mark.parametrize("name", [*FILES, *SECRETS, *KEYS])
def test_no_part_of_a_secret_is_repeated(name: str) -> None:
    cases = [(text.replace("%s", secret), secret) for case, text, secret in CASES if case == name]
    assert cases
    for text, secret in cases:
        mark = "PLAINKEY" if KEY in secret else MARK
        for whole in (
            text,
            GOOD + text,
            GOOD + "redis: {timeout: 1parsec}\n" + text,
            GOOD.replace("\n", "\r\n") + text.replace("\n", "\r\n"),
        ):
            message = messages_of(whole)
            assert mark not in message, f"{whole}\n---\n{message}"


@pytest.mark.parametrize("text", FROM_OUTSIDE)
def test_no_value_of_the_environment_is_repeated(text: str) -> None:
    for secret in ("Hunter2;Xyz", "Hunter2-Xyz", "HUNTER2"):
        message = messages_of(text, SECRET=secret)
        assert message
        assert MARK not in message.lower(), message


def test_what_looks_like_a_variable_and_is_none_is_not_repeated() -> None:
    assert MARK not in messages_of(f"{GOOD}admin: {{token: 'a${{{MARK}}}b'}}\n")
    assert "`TOKEN` is not set" in messages_of(f"{GOOD}admin: {{token: 'a${{TOKEN}}b'}}\n")
