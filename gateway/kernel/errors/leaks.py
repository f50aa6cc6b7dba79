"""Finds internal details in the errors of a service: stack traces and connection strings.

A stack trace is cut off, a connection string is replaced. Every search takes time linear in the length of the text: a
position such as `app.py:12` is looked for by its ending, and its beginning by going back.
"""

import re
from itertools import pairwise
from string import ascii_letters

REDACTED = "[…]"

_TRACE = re.compile(
    r"Traceback \(most recent call last|\n[ \t]+at \S|\n[ \t]+File \"|\bCaused by:"
    r"|; nested exception is|\n[ \t]*\.\.\. \d{1,9} (?:more|common)"
    r"|\bgoroutine \d{1,20} \[|\bpanic: |\bpanic serving |\bthread '[^'\n]{0,200}' (?:\(\d{1,20}\) )?panicked"
    r"|\bpanicked at |\bstack backtrace:|\bRUST_BACKTRACE|(?i:\bstack ?trace:)|(?i:\bbacktrace:)|\{main\}"
    r"|#\d{1,4} +(?:0x[0-9a-fA-F]|\S{1,300}\(\d{1,9}\)|\[internal function\])"
    r"|\b(?:PHP )?(?:Fatal|Parse|Catchable fatal|Recoverable fatal) error: "
    r"|\bUncaught (?:exception|[\w\\]{1,200}(?:Exception|Error)\b)"
    r"|\(Native Method\)|\(Unknown Source\)|\bException in thread |--- End of (?:inner )?|\bORA-06512: "
    r"|\{file,\s?\"|\bnode:internal/"
    r"|\bThe above exception was |\bDuring handling of the above exception",
)
"""The beginning of a stack trace."""

_FRAME = re.compile(r"\bat (?:async |new )?([\w$<>`~+\[\],|/@:\\.-]{1,300})\(")
"""A call in a trace on one line, as Java, .NET and Node.js write it, if the name is that of a member."""

_POSITION = re.compile(
    r"\.(?:py|pyx|rb|erb|rake|php|phtml|[cm]?js|jsx|[cm]?ts|tsx|vue|svelte|java|kts?|scala|groovy|cljs?|cs|cshtml|vb|fs|go|rs|c|cc|cpp|cxx|h"
    r"|hpp|swift|dart|exs?|erl|p[lm]|lua|jl|hs|cfm)(?::(?:line )?\d|\(\d{1,9}\)|\"?,? (?:on )?line \d)",
    re.IGNORECASE,
)
"""The end of a file's name and a line in it."""

_BEFORE_POSITION = (
    " at",
    " in",
    " from",
    " File",
    " async",
    " thrown",
    " defined",
    " called",
    "(",
    "[",
    '"',
    "'",
    "`",
    ",",
    ":",
)
_NEAR = 200

_TOKEN = re.compile(r"\S+")
_WEB_SCHEMES = frozenset({"http", "https", "ws", "wss"})
_AUTHORITY_END = re.compile(r"[/?#]")
_LONGEST_SCHEME = 31
_NO_LETTERS = "0123456789+.-"
_OF_SCHEMES = ascii_letters + _NO_LETTERS
_INTERNAL_SCHEMES = frozenset({
    "postgres", "postgresql", "mysql", "mysqlx", "mariadb", "mongodb", "redis", "rediss", "valkey", "amqp", "amqps",
    "mssql", "sqlserver", "oracle", "kafka", "nats", "ldap", "ldaps", "cassandra", "clickhouse", "memcached", "sqlite",
    "cockroachdb", "couchbase", "neo4j", "bolt", "sb", "stomp", "mqtt", "mqtts", "pulsar", "zookeeper", "etcd",
    "snowflake", "bigquery", "trino", "hive", "db2", "firebird", "odbc", "jdbc", "smtp", "smtps", "imap", "file",
    "unix", "sentinel", "sftp",
})  # fmt: skip
"""Schemes of internal services, whose URLs are hidden even without a password."""
_OPAQUE = re.compile(
    r"\b(?:jdbc|odbc|dsn):[a-z]\S*|\b(?:mysql|pgsql|sqlsrv|oci|sqlite|dblib):(?:host|dbname|server|unix_socket|database)=\S*",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"[^\s@:/]*[:/][^\s@]*@(?:\w{2,5}\(|//|[\w.-]+(?::\d|/\w))")

_SECRETS = (
    r"(?:password|passwd|pwd|passphrase|pass|account_?key|shared_?access_?(?:key|signature)|secret(?:_?(?:access_?)?key)?"
    r"|client_?secret|access_?key|api_?key|private_?key|auth_?token)"
)
_SECRET_KEY = re.compile(rf"(?<![a-z]){_SECRETS}\s?=\s?[^\s=]", re.IGNORECASE)
_SECRET_MEMBER = re.compile(rf"[\"']{_SECRETS}\\?[\"']\s?:\s?\\?[\"'][^\"'\\]", re.IGNORECASE)
"""A secret in the settings of a connection, as JSON or Python writes them."""
_PLACE_KEY = re.compile(
    r"(?<![a-z])(?:data source|server|host(?:name|addr)?|endpoint"
    r"|default ?endpoints ?protocol|db_?name|database|initial catalog|driver)\s?=\s?[^\s=]",
    re.IGNORECASE,
)
_LOGIN_KEY = re.compile(
    r"(?<![a-z])(?:user(?: ?id|name)?|uid|port|account ?name|integrated security"
    r"|trusted_connection|ssl_?mode|provider|sid|service[ _]name)\s?=\s?[^\s=]",
    re.IGNORECASE,
)


def without_trace(text: str) -> str:
    """Return `text` up to its first stack trace."""
    starts = [found.start() for found in (_TRACE.search(text), _frame(text)) if found is not None]
    position = _POSITION.search(text)
    if position is not None:
        starts.append(_position_start(text, position.start()))
    return text[: min(starts)].rstrip() if starts else text


def without_connections(text: str) -> str:
    """Return `text` with its connection strings replaced by `REDACTED`."""
    if ":" in text:
        text = _without_members(_OPAQUE.sub(REDACTED, text))
    if "=" in text:
        text = _without_pairs(text)
    if ":" in text:
        if "://" in text:
            text = _TOKEN.sub(lambda token: _without_url(token[0]), text)
        if "@" in text:
            text = _TOKEN.sub(lambda token: REDACTED if _is_login(token[0]) else token[0], text)
    return text


def _frame(text: str) -> "re.Match[str] | None":
    return next((frame for frame in _FRAME.finditer(text) if "." in frame[1] or "::" in frame[1]), None)


def _position_start(text: str, at: int) -> int:
    """Return where the stack frame begins whose file name ends at `at`."""
    start = max(text.rfind(end, 0, at) for end in " \t\r\n\"'(") + 1
    near = text.rfind(" at ", max(0, start - _NEAR), start)
    if near >= 0:
        return near
    before = text[:start]
    line = before.rstrip(" \t")
    if line.endswith("\n"):  # Go writes the function into the line before
        function = line[:-1].rpartition("\n")[2]
        return len(line) - len(function) - 1 if " " not in function else len(line)
    for _ in range(len(_BEFORE_POSITION)):
        before = before.rstrip()
        word = next((word for word in _BEFORE_POSITION if f" {before}".endswith(word)), "")
        before = before[: len(before) - min(len(before), len(word))]
    return len(before)


def _without_pairs(text: str) -> str:
    """Cut before the first of the pairs that say how to connect."""
    secret, location, login = _SECRET_KEY.search(text), _PLACE_KEY.search(text), _LOGIN_KEY.search(text)
    found = [pair.start() for pair in (secret, location, login) if pair is not None]
    if secret is None and (location is None or (login is None and _PLACE_KEY.search(text, location.end()) is None)):
        return text
    return text[: min(found)] + REDACTED


def _without_members(text: str) -> str:
    """Cut before the object that has a secret among its members."""
    secret = _SECRET_MEMBER.search(text)
    if secret is None:
        return text
    opened = text.rfind("{", 0, secret.start())
    return text[: opened if opened >= 0 else secret.start()] + REDACTED


def _without_url(token: str) -> str:
    """Return `token` up to the first of the URLs in it that is not to be shown."""
    at = 0
    parts = token.split("://")
    for before, rest in pairwise(parts):
        at += len(before)
        scheme = before[len(before.rstrip(_OF_SCHEMES)) :][-_LONGEST_SCHEME:].lstrip(_NO_LETTERS)
        name = scheme.lower().partition("+")[0]
        login = _AUTHORITY_END.split(rest, maxsplit=1)[0] if name in _WEB_SCHEMES else rest
        if scheme and (name in _INTERNAL_SCHEMES or "@" in login):
            return token[: at - len(scheme)] + REDACTED
        at += 3
    return token


def _is_login(token: str) -> bool:
    """Return whether `token` is `user:password@host:port`, as drivers in Go and Oracle write it."""
    return "@" in token and "://" not in token and _LOGIN.match(token.lstrip("([")) is not None
