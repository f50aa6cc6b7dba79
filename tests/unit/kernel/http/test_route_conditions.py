"""kernel/http/route_conditions.py: hosts as they are compared, and how many combinations there are."""

import pytest

from gateway.kernel.http.route_conditions import bare_host, combinations, hosts_meet


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.com:8443", "api.example.com"),
        ("api.example.com.", "api.example.com"),
        ("api.example.com.:80", "api.example.com"),
        ("api.example.com:", "api.example.com"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_port_case_and_the_last_dot_have_no_meaning(host: str, expected: str) -> None:
    assert bare_host(host) == expected


def test_each_field_has_its_values_and_any_other_one() -> None:
    assert combinations([]) == 1
    assert combinations([(("a", "1"),), (("a", "2"), ("b", "1")), (("a", "1"),)]) == 3 * 2


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (None, "a.example", True),
        ("a.example", "a.example", True),
        ("*.example", "a.example", True),
        ("b.a.example", "*.example", True),
        ("*.a.example", "*.example", True),
        ("a.example", "b.example", False),
        ("*.example", "example", False),
        ("*.a.example", "*.b.example", False),
    ],
)
def test_hosts_that_one_request_can_fit(one: str | None, other: str | None, *, expected: bool) -> None:
    assert hosts_meet(one, other) == hosts_meet(other, one) == expected
