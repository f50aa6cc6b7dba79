"""accounting/statement.py: the sums of what Redis has."""

from datetime import date

import pytest

from gateway.accounting.counts import UsageRow
from gateway.accounting.query import UsageQuery, usage_query
from gateway.accounting.statement import TooManyRowsError, UsageStatement, read_statement
from gateway.accounting.storage import Batch, rows_key
from gateway.redis_client.address import RedisConnectionError
from tests.redis_server import RedisProcess, free_port
from tests.unit.accounting.test_storage import STORE, add

TODAY = date(2126, 11, 30)
CI, BACKUP, VISITOR, NOBODY = ("acme", "ci"), ("acme", "backup"), ("", "anonymous"), ("", "")


@pytest.fixture(scope="module")
def filled(module_redis: RedisProcess) -> RedisProcess:
    """With the usage of three days of two months."""
    module_redis.ask("FLUSHALL")
    days: dict[str, list[tuple[tuple[str, str], str, str, list[int]]]] = {
        "2126-11-29": [
            (CI, "orders", "", [10, 1, 100, 1000]),
            (CI, "orders", "encodings", [4]),
            (BACKUP, "orders", "", [1, 0, 0, 10]),
            (("globex", "web"), "jobs", "", [5, 5, 0, 50]),
            (VISITOR, "status", "", [3, 0, 0, 3]),
            (NOBODY, "", "", [7, 7, 0, 0]),
        ],
        "2126-11-30": [
            (CI, "jobs", "", [20, 0, 0, 0]),
            (CI, "jobs", "encodings", [1]),
            (VISITOR, "status", "", [2, 0, 2, 2]),
        ],
        "2126-12-01": [(CI, "orders", "", [100, 0, 0, 0])],
    }
    for number, (day, listed) in enumerate(days.items()):
        rows: list[tuple[UsageRow, list[int]]] = [
            ((*who, route, quota), numbers) for who, route, quota, numbers in listed
        ]
        callers = {"status": ["::1", f"::{number}"]} if number < 2 else {}
        add(module_redis, Batch("w", number + 1, day, rows, callers), STORE)
    module_redis.ask("HSET", rows_key("gw", "2126-11-30"), "no row", "x")
    return module_redis


def asked(server: RedisProcess, **parameters: str) -> UsageStatement:
    return read_statement(server.url, "gw", usage_query(parameters, TODAY))


def test_an_answer_may_have_too_many_rows(filled: RedisProcess) -> None:
    query = usage_query({}, TODAY)
    assert len(read_statement(filled.url, "gw", query, 3).rows) == 3
    with pytest.raises(TooManyRowsError):
        read_statement(filled.url, "gw", query, 2)


def test_a_month_by_organization(filled: RedisProcess) -> None:
    found = asked(filled)
    assert [(row.organization, row.calls, row.errors, row.callers, row.quotas) for row in found.rows] == [
        ("", 12, 7, 2, {}),
        ("acme", 31, 1, 2, {"encodings": 5}),
        ("globex", 5, 5, 1, {}),
    ]
    total = found.total
    assert (total.calls, total.errors, total.request_bytes, total.response_bytes) == (48, 13, 102, 1065)
    assert (total.callers, total.quotas, total.organization) == (5, {"encodings": 5}, None)
    assert (found.first, found.last, found.by) == (date(2126, 11, 1), date(2126, 11, 30), ("organization",))


def test_the_days_of_two_months(filled: RedisProcess) -> None:
    found = asked(filled, by="day", **{"from": "2126-11-30", "to": "2126-12-02"})
    assert [(row.day, row.calls) for row in found.rows] == [("2126-11-30", 22), ("2126-12-01", 100)]


def test_several_dimensions(filled: RedisProcess) -> None:
    found = asked(filled, by="key,route")
    assert [(row.key, row.route, row.calls) for row in found.rows] == [
        ("", "", 7),
        ("anonymous", "status", 5),
        ("backup", "orders", 1),
        ("ci", "jobs", 20),
        ("ci", "orders", 10),
        ("web", "jobs", 5),
    ]


@pytest.mark.parametrize(
    ("filters", "calls"),
    [
        ({"organization": "acme"}, 31),
        ({"organization": ""}, 12),
        ({"key": "ci"}, 30),
        ({"key": "ci", "route": "jobs"}, 20),
        ({"route": "status"}, 5),
        ({"route": "nowhere"}, 0),
    ],
)
def test_filters(filled: RedisProcess, filters: dict[str, str], calls: int) -> None:
    assert asked(filled, **filters).total.calls == calls


def test_a_month_without_usage(filled: RedisProcess) -> None:
    found = asked(filled, month="2126-10")
    assert (found.rows, found.total.calls, found.total.callers) == ([], 0, 0)


def test_a_redis_that_is_away_is_an_error() -> None:
    with pytest.raises(RedisConnectionError, match="refused"):
        read_statement(f"redis://127.0.0.1:{free_port()}/0", "gw", UsageQuery(TODAY, TODAY, ("day",)))
