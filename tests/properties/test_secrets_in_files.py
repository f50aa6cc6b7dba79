"""No secret appears in what is said of a configuration, however the file around it is broken."""

import itertools
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
    *((name, text, secret) for (name, text), secret in itertools.product(FILES.items(), URLS)),
    *((name, text, secret) for (name, text), secret in itertools.product(SECRETS.items(), PASSWORDS)),
    *((name, text, KEY) for name, text in (KEYS | SECRETS).items()),
]


def messages_of(text: str) -> str:
    """Everything that is said of a file, in every form; nothing when it is in order."""
    try:
        parse(text)
    except ConfigError as error:
        return "\n".join((error.text(), error.text(color=True), error.json(), error.github(), json.dumps(str(error))))
    return ""


@pytest.mark.parametrize("name", [*FILES, *SECRETS, *KEYS])
def test_no_part_of_a_secret_is_repeated(name: str) -> None:
    cases = [(text % secret, secret) for case, text, secret in CASES if case == name]
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
