"""Quotas and concurrency: what is accepted, and where what is wrong with them is told."""

import pytest

from gateway.settings import parse
from tests.yaml_files import added, complaints

HEAD = """version: 1
upstreams: [{id: u, targets: [{url: 'http://a'}]}]
routes:
- {id: jobs.all, match: {path: /a, methods: [GET, POST]}, upstream: u}
- {id: jobs.one, match: {path: "/a/{id}", methods: [DELETE]}, upstream: u}
- {id: raw, match: {path: /raw}, upstream: u, envelope: {mode: passthrough}}
"""


def plan(*quotas: str) -> str:
    return HEAD + "plans:\n- id: p\n  limits: []\n  quotas:\n" + "".join(f"  - {{{quota}}}\n" for quota in quotas)


COUNT = "id: q, code: 8001, kind: count, max: 5, charge: [{routes: [jobs.all], methods: [POST]}]"


def test_what_is_left_out_has_its_meaning() -> None:
    (count, level) = next(
        found.quotas
        for found in parse(plan(COUNT, "id: l, code: 8004, kind: level, max: 2, charge: [{routes: ['jobs.*']}]")).plans
        if found.id == "p"
    )
    assert (count.per, count.scope, level.lasts_s, level.release) == (None, "key", 86_400.0, None)
    assert [count.charge[0].includes("jobs.all", method) for method in ("GET", "HEAD", "POST")] == [False, False, True]
    assert [level.charge[0].includes(route, "HEAD") for route in ("jobs.all", "jobs.one", "raw")] == [True, True, False]


def test_head_counts_as_get() -> None:
    (quota,) = parse(plan(COUNT.replace("POST", "GET"))).plans[0].quotas
    assert [quota.charge[0].includes("jobs.all", method) for method in ("GET", "HEAD", "POST")] == [True, True, False]


LEVEL = "id: q, code: 8004, kind: level, max: 2, charge: [{routes: ['jobs.*'], methods: [POST]}]"
SUM = "id: q, code: 8003, kind: sum, max: 2, charge: [{routes: [jobs.all]}]"


@pytest.mark.parametrize(
    ("quotas", "message"),
    [
        ((COUNT, COUNT), "12:10 plans[0].quotas[1].id: `q` is the id of another quota of this plan"),
        ((COUNT.replace("jobs.all", "job.all"),), "11:65 plans[0].quotas[0].charge[0].routes[0]: `job.all` matches no route; did you mean `jobs.all`?"),
        ((COUNT.replace("POST", "DELETE"),), "11:86 plans[0].quotas[0].charge[0].methods[0]: `DELETE` is a method of none of these routes"),
        ((COUNT + ", release: [{routes: [jobs.one]}]",), "11:5 plans[0].quotas[0]: `release` is of no use to a `count`"),
        ((COUNT + ", expires: 1h",), "11:5 plans[0].quotas[0]: `expires` is of no use to a `count`"),
        ((COUNT + ", amount: {header: X}",), "11:5 plans[0].quotas[0]: `amount` is of no use to a `count`"),
        ((COUNT.replace("[{routes: [jobs.all], methods: [POST]}]", "[]"),), "11:54 plans[0].quotas[0].charge: at least one is needed here"),
        ((LEVEL + ", per: month",), "11:5 plans[0].quotas[0]: `per` is of no use to a `level`"),
        ((LEVEL.replace("max: 2", "max: 100001"),), "11:5 plans[0].quotas[0]: a `level` goes up to 100000"),
        ((LEVEL + ", release: [{routes: [jobs.one]}, {routes: ['*'], methods: [POST, DELETE]}]",), "11:127 plans[0].quotas[0].release[1]: a POST of `jobs.all` would raise the level and lower it"),
        ((LEVEL + ", release: [{routes: [other]}]",), "11:115 plans[0].quotas[0].release[0].routes[0]: `other` matches no route"),
        ((SUM,), "11:5 plans[0].quotas[0]: a `sum` needs its `amount`; write `amount: {header: X-Bytes}` or `amount: {field: result.bytes}`"),
        ((SUM + ", amount: {}",), "11:84 plans[0].quotas[0].amount: exactly one of `header` and `field` is wanted here"),
        ((SUM + ", amount: {field: a..b}",), "11:92 plans[0].quotas[0].amount.field: `a..b` is no way into JSON; write the names of its objects' members, with dots between them"),
        ((SUM.replace("jobs.all", "raw") + ", amount: {field: a.b}",), "11:87 plans[0].quotas[0].amount.field: replies of `raw` are passed through unread; use `header`"),
        ((COUNT.replace("count", "counter"),), "11:31 plans[0].quotas[0].kind: `count`, `sum` or `level` is wanted here; did you mean `count`?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_reported_where_it_stands(quotas: tuple[str, ...], message: str) -> None:
    assert complaints(plan(*quotas)) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "plans: [{id: p, limits: [], concurrency: {}}]",
            "4:42 plans[0].concurrency: `key` or `organization` is wanted here",
        ),
        ("plans: [{id: p, limits: [], concurrency: {key: 0}}]", "4:48 plans[0].concurrency.key: must be 1 or more"),
        ("organizations: [{id: o, concurrency: 0}]", "4:38 organizations[0].concurrency: must be 1 or more"),
    ],
)
def test_concurrency_is_one_or_more(text: str, message: str) -> None:
    assert added(text) == [message]
