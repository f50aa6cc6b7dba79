"""kernel/caching/storage.py: what may be kept, for how long and for whom."""

from typing import Any

import msgspec
import pytest

from gateway.kernel.caching.directives import Directives
from gateway.kernel.caching.storage import CacheRules, Freshness, accepts, freshness_of, unmodified

RULES = CacheRules(None, 1 << 20, (), "organization", 0.0, 0.0)
NOW = 1_700_000_000.0
DATE, LATER, BEFORE = (
    b"Tue, 14 Nov 2023 22:13:20 GMT",
    b"Tue, 14 Nov 2023 22:14:20 GMT",
    b"Tue, 14 Nov 2023 22:12:20 GMT",
)


def of(
    control: str | None = "max-age=60", *more: tuple[bytes, bytes], status: int = 200, **rules: Any
) -> Freshness | None:
    fields = [] if control is None else [(b"cache-control", control.encode())]
    return freshness_of(status, [*fields, *more], msgspec.structs.replace(RULES, **rules), NOW)


def found(*arguments: Any, **more: Any) -> Freshness:
    kept = of(*arguments, **more)
    assert kept is not None
    return kept


@pytest.mark.parametrize(
    ("control", "more", "lifetime_s"),
    [
        ("max-age=60", [], 60),
        ("max-age=60, s-maxage=5", [], 5),
        ("s-maxage=500", [], 500),
        (None, [(b"expires", LATER)], 60),
        (None, [(b"expires", LATER), (b"date", DATE)], 60),
        (None, [(b"expires", DATE), (b"date", BEFORE)], 60),
        ("max-age=5", [(b"expires", LATER)], 5),
        ("public", [(b"expires", LATER)], 60),
    ],
)
def test_the_lifetime_that_a_service_gives(
    control: str | None, more: list[tuple[bytes, bytes]], lifetime_s: float
) -> None:
    assert found(control, *more).lifetime_s == lifetime_s


@pytest.mark.parametrize(
    ("control", "more"),
    [
        (None, []),
        ("public", []),
        ("no-store", []),
        ("no-store, max-age=60", []),
        ("private, max-age=60", []),
        ('private="x", max-age=60', []),
        ("max-age=60", [(b"set-cookie", b"a=b")]),
        ("max-age=60", [(b"content-range", b"bytes 0-1/2")]),
        ("max-age=60", [(b"vary", b"Accept, *")]),
        ("max-age=60", [(b"vary", b",".join([b"a%d" % number for number in range(20)]))]),
        ("max-age=60", [(b"cache-control", b"no-store")]),
        ("max-age=60", [(b"surrogate-control", b"no-store")]),
        ("max-age=60", [(b"cdn-cache-control", b"private")]),
        ("max-age=0", []),
        ("max-age=60", [(b"age", b"60")]),
        ("no-cache", []),
        ("max-age=soon", []),
        (None, [(b"expires", b"0")]),
        (None, [(b"expires", BEFORE)]),
        (None, [(b"expires", b"Tue, 99 Nov 99999 99:99:99 GMT")]),
        (None, [(b"expires", b"x" * 100)]),
    ],
)
def test_what_is_not_kept(control: str | None, more: list[tuple[bytes, bytes]]) -> None:
    assert of(control, *more) is None


@pytest.mark.parametrize("status", [201, 202, 206, 302, 307, 400, 401, 403, 405, 429])
def test_other_statuses_are_not_kept(status: int) -> None:
    assert of("public, max-age=60", status=status) is None


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 410])
def test_statuses_that_are_kept(status: int) -> None:
    assert found(status=status).kept


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_is_for_those_who_wait_for_it(status: int) -> None:
    assert not found(None, status=status).kept
    assert of("no-store", status=status) is None


def test_a_lifetime_of_the_route_counts_in_place_of_the_service_s() -> None:
    assert found(None, ttl_s=30.0).lifetime_s == 30
    assert found("max-age=600", (b"age", b"7"), ttl_s=30.0).lifetime_s == 37
    assert of("no-store", ttl_s=30.0) is None
    assert of("no-cache", ttl_s=30.0) is None
    assert of(None, status=404, ttl_s=30.0) is None
    assert found("max-age=9", status=404, ttl_s=30.0).lifetime_s == 9


def test_a_stale_reply_is_kept_when_the_service_can_confirm_it_or_it_may_serve_stale() -> None:
    assert found("no-cache", (b"etag", b'"a"')).etag == b'"a"'
    assert found("max-age=0", (b"last-modified", DATE)).last_modified == DATE
    assert found("max-age=0, stale-while-revalidate=5").revalidate_s == 5
    assert found("max-age=0", stale_if_error_s=7.0).error_s == 7


def test_what_must_be_revalidated_never_serves_stale() -> None:
    for control in ("must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"):
        kept = found(f"{control}, max-age=60, stale-if-error=5", (b"etag", b'"a"'), stale_while_revalidate_s=5.0)
        assert (kept.revalidate_s, kept.error_s) == (0.0, 0.0)
    kept = found("max-age=60, stale-if-error=5", stale_while_revalidate_s=6.0, stale_if_error_s=7.0)
    assert (kept.revalidate_s, kept.error_s) == (6.0, 5.0)


@pytest.mark.parametrize(
    ("control", "share", "public"),
    [
        ("max-age=60", "public", False),
        ("public, max-age=60", "public", True),
        ("s-maxage=60", "public", True),
        ("must-revalidate, max-age=60", "public", True),
        ("public, max-age=60", "organization", False),
    ],
)
def test_what_leaves_an_organisation_is_called_public_by_route_and_service(
    control: str, share: str, *, public: bool
) -> None:
    assert found(control, share=share).public is public


def test_what_is_private_is_kept_for_one_key() -> None:
    assert found("private, max-age=60", share="key").kept


def test_names_and_tags_are_sorted_out() -> None:
    kept = found("max-age=60, No-Transform", (b"vary", b"B, a,, b"), (b"cache-tag", b"x, , " + b"y" * 200))
    assert (kept.vary, kept.tags, kept.no_transform) == (("a", "b"), ("x",), True)
    assert not found().no_transform


@pytest.mark.parametrize(
    ("wanted", "since", "etag", "modified", "same"),
    [
        ('"a"', None, 'W/"a"', "", True),
        ('W/"b", W/"a"', None, '"a"', "", True),
        ('"b"', None, '"a"', "", False),
        ("*", None, "", "", True),
        ('"a"', None, "", "", False),
        ('"b"', DATE.decode(), '"a"', DATE.decode(), False),
        (None, DATE.decode(), '"a"', DATE.decode(), True),
        (None, LATER.decode(), "", DATE.decode(), True),
        (None, BEFORE.decode(), "", DATE.decode(), False),
        (None, "yesterday", "", DATE.decode(), False),
        (None, LATER.decode(), "", "yesterday", False),
        (None, DATE.decode(), "", "", False),
        (None, None, '"a"', DATE.decode(), False),
    ],
)
def test_conditions_of_clients(wanted: str | None, since: str | None, etag: str, modified: str, *, same: bool) -> None:
    assert unmodified(wanted, since, etag, modified) is same


@pytest.mark.parametrize(
    ("control", "wanted"),
    [
        ("", True),
        ("no-cache", False),
        ("max-age=10", True),
        ("max-age=9", False),
        ("min-fresh=50", True),
        ("min-fresh=51", False),
        ("max-age=0", False),
        ("only-if-cached, max-stale=9", True),
    ],
)
def test_what_a_client_accepts(control: str, *, wanted: bool) -> None:
    assert accepts(Directives.of(control), 10.0, 60.0) is wanted
