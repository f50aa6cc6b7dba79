"""table/quotas.py: which quotas a call meets, and in which words they refuse."""

import pytest

from gateway.kernel.faults import Link
from gateway.kernel.limits.quota import LEASE_MS, AmountSource, Posting
from gateway.settings import parse
from gateway.table import Caller, Route
from gateway.table.compile import build_faults, build_routes
from gateway.table.keyring import Visitors
from gateway.table.keys import KeyMaker
from tests.samples import Echo

CONFIGURATION = f"""
version: 1
organizations: [{{id: acme, concurrency: 9}}, {{id: initech}}]
plans:
- id: gold
  limits: []
  quotas:
  - {{id: jobs, code: 8001, kind: count, max: 5, charge: [{{routes: [jobs], methods: [POST]}}]}}
  - {{id: total, code: 4711, kind: count, max: 5, per: ever, scope: organization, charge: [{{routes: ["*"], methods: [GET]}}], message: Enough,
     developer_message: Ask., links: [{{href: "https://a.example", title: More}}]}}
  - {{id: bytes, code: 8003, kind: sum, max: 5, charge: [{{routes: [jobs], methods: [POST]}}], amount: {{header: X-Bytes}}}}
  - {{id: told, code: 8003, kind: sum, max: 5, charge: [{{routes: [jobs], methods: [POST]}}], amount: {{field: a.b}}}}
  - {{id: open, code: 8004, kind: level, max: 5, charge: [{{routes: [jobs], methods: [POST]}}], release: [{{routes: [jobs], methods: [DELETE]}}], expires: 1h}}
- {{id: silver, limits: [], concurrency: {{key: 2, organization: 3}}}}
- {{id: free, limits: []}}
keys:
- {{id: a, secret_sha256: {"a" * 64}, organizations: [acme, initech], plan: gold}}
- {{id: b, secret_sha256: {"b" * 64}, organizations: [initech], plan: silver}}
- {{id: c, secret_sha256: {"c" * 64}, plan: free}}
upstreams: [{{id: u, targets: [{{url: "http://127.0.0.1:1"}}]}}]
routes:
- {{id: jobs, match: {{path: /jobs, methods: [GET, POST, DELETE]}}, upstream: u}}
- {{id: rest, match: {{prefix: /}}, upstream: u}}
- {{id: open, match: {{path: /open}}, upstream: u, auth: none, plan: silver}}
"""


class Deployment:
    def __init__(self, text: str = CONFIGURATION) -> None:
        config = parse(text)
        maker = KeyMaker(config)
        self.callers = {key.id: maker.make(key).callers for key in config.keys}
        self.routes: dict[str, Route] = {
            route.id: route for route in build_routes(config, {"u": Echo()}, build_faults(config)).routes
        }

    def postings(self, route: str, method: str, key: str, organization: str | None = None) -> tuple[Posting, ...]:
        return self._of(route, method, self.callers[key][organization])

    def _of(self, route: str, method: str, caller: Caller) -> tuple[Posting, ...]:
        tariff = self.routes[route].tariff
        assert tariff is not None
        made = tariff.claim(caller, method)
        assert {posting.key.partition("}")[0] for posting in made.postings} <= {f"{{{made.tag}"}
        return made.postings


DEPLOYMENT = Deployment()


def named(postings: tuple[Posting, ...]) -> list[tuple[str, str]]:
    return [(posting.meter.id, posting.act) for posting in postings]


def test_a_call_charges_the_quotas_of_its_plan_that_name_its_route_and_method() -> None:
    charged = [(name, "charge") for name in ("jobs", "bytes", "told", "open")]
    assert named(DEPLOYMENT.postings("jobs", "POST", "a", "initech")) == charged
    assert named(DEPLOYMENT.postings("jobs", "HEAD", "a", "initech")) == [("organization/gold/total", "charge")]
    assert named(DEPLOYMENT.postings("jobs", "DELETE", "a", "initech")) == [("open", "release")]
    assert named(DEPLOYMENT.postings("rest", "DELETE", "a", "initech")) == []
    assert named(DEPLOYMENT.postings("jobs", "POST", "c")) == []


def test_concurrency_counts_on_every_route_for_key_and_organisation() -> None:
    both = [("concurrency", "charge"), ("organization/silver/concurrency", "charge")]
    assert named(DEPLOYMENT.postings("jobs", "GET", "b")) == named(DEPLOYMENT.postings("rest", "PUT", "b")) == both
    assert named(DEPLOYMENT.postings("rest", "DELETE", "a", "acme")) == [("organization/concurrency", "charge")]


def test_keys_are_those_of_the_owner_and_of_what_is_stored() -> None:
    caller = DEPLOYMENT.callers["a"]["acme"]
    keys = [posting.key for posting in DEPLOYMENT.postings("jobs", "POST", "a", "acme")]
    expected = ["count/jobs", "sum/bytes", "sum/told", "level/open"]
    assert keys == [
        *(f"{caller.bucket}:{name}" for name in expected),
        f"{caller.organization_bucket}:concurrency/organization/concurrency",
    ]


def test_a_visitor_has_the_quotas_of_the_routes_plan() -> None:
    route = DEPLOYMENT.routes["open"]
    visitor = Visitors().find("192.0.2.1", route.open_plan, route.open_windows, route.open_tag)
    assert [name for name, _ in named(DEPLOYMENT._of("open", "GET", visitor))] == [
        "concurrency",
        "organization/silver/concurrency",
    ]


def test_a_meter_is_what_the_configuration_states() -> None:
    jobs, size, reported, level, _ = (posting.meter for posting in DEPLOYMENT.postings("jobs", "POST", "a"))
    (total, *_) = (posting.meter for posting in DEPLOYMENT.postings("jobs", "GET", "a"))
    assert (jobs.max, jobs.owner, jobs.monthly, total.owner, total.monthly, size.monthly) == (
        5,
        "key",
        True,
        "organization",
        False,
        True,
    )
    assert (size.amount, reported.amount, jobs.amount) == (
        AmountSource(header=b"x-bytes"),
        AmountSource(field=("a", "b")),
        None,
    )
    assert (level.lasts_ms, level.monthly, jobs.lasts_ms) == (3_600_000, False, LEASE_MS)
    assert (jobs.fault.code, jobs.fault.message) == (8001, "Limit of encodings exceeded")
    assert (total.fault.code, total.fault.message, total.fault.developer_message) == (4711, "Enough", "Ask.")
    assert total.fault.links == (Link("https://a.example", "More"),)
    assert (total.fault.status, total.fault.name) == (429, "quota_spent")


@pytest.mark.parametrize(("code", "message"), [(8001, "Limit of encodings exceeded"), (4712, "Limit exceeded")])
def test_a_quota_without_words_has_those_of_its_code(code: int, message: str) -> None:
    deployment = Deployment(CONFIGURATION.replace("code: 8001", f"code: {code}"))
    assert deployment.postings("jobs", "POST", "a")[0].meter.fault.message == message


def test_an_operators_words_for_all_quotas_stay() -> None:
    deployment = Deployment(
        CONFIGURATION
        + "errors: {quota_spent: {message: No more, status: 402, links: [{href: 'https://b.example', title: B}]}}\n"
    )
    jobs = deployment.postings("jobs", "POST", "a")[0].meter.fault
    assert (jobs.status, jobs.code, jobs.message, jobs.links) == (
        402,
        8001,
        "No more",
        (Link("https://b.example", "B"),),
    )


def test_where_there_are_none_nobody_asks() -> None:
    plain = CONFIGURATION[: CONFIGURATION.index("  quotas:")] + CONFIGURATION[CONFIGURATION.index("- {id: silver") :]
    plain = plain.replace(", concurrency: {key: 2, organization: 3}", "").replace(", concurrency: 9", "")
    assert {route.tariff for route in Deployment(plain).routes.values()} == {None}
