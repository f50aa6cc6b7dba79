"""Decides which quotas and concurrency limits apply to a call, and how the call changes them."""

from collections.abc import Iterable, Mapping

import msgspec

from gateway.kernel.fault_types import LIMIT_EXCEEDED, MESSAGES
from gateway.kernel.faults import CONCURRENCY_EXCEEDED, QUOTA_SPENT, Fault, Link
from gateway.kernel.limits.quota import LEASE_MS, Act, AmountSource, Meter, Posting
from gateway.settings import Config
from gateway.settings.schema.quotas import Quota
from gateway.table.keyring import Caller


class Metering:
    """How the calls of one route change meters: `plans` by plan and method, `organizations` by id.

    The keys of the postings are completed with their owner in `postings`.
    """

    __slots__ = ("_organizations", "_plans")

    def __init__(
        self, plans: Mapping[tuple[str, str], tuple[Posting, ...]], organizations: Mapping[str, Posting]
    ) -> None:
        self._plans = plans
        self._organizations = organizations

    def charges(self, method: str) -> frozenset[tuple[str, str]]:
        """Return the keys of the postings that such a call makes to meters, each with its plan or organisation."""
        plans = {
            (plan, each.key)
            for (plan, known), found in self._plans.items()
            for each in found
            if known == method and each.act == "charge"
        }
        return frozenset(plans | {(organization, each.key) for organization, each in self._organizations.items()})

    def postings(self, caller: Caller, method: str) -> tuple[Posting, ...]:
        """Return the postings of a call of `caller`."""
        found = list(self._plans.get((caller.plan, method), ()))
        if (shared := self._organizations.get(caller.organization or "")) is not None:
            found.append(shared)
        buckets = {"key": caller.bucket, "organization": caller.organization_bucket}
        return tuple([Posting(f"{buckets[each.meter.owner]}:{each.key}", each.meter, each.act) for each in found])


class Meters:
    """All meters of a configuration. `faults` is the catalogue with the operator's overrides."""

    def __init__(self, config: Config, faults: Mapping[str, Fault]) -> None:
        exceeded = faults.get(CONCURRENCY_EXCEEDED.name, CONCURRENCY_EXCEEDED)
        spent = faults.get(QUOTA_SPENT.name, QUOTA_SPENT)
        self._quotas = {
            plan.id: [(quota, _meter(quota, plan.id, spent)) for quota in plan.quotas] for plan in config.plans
        }
        self._concurrency: dict[str, list[Meter]] = {}
        for plan in config.plans:
            most = plan.concurrency
            meters = []
            if most is not None and most.key is not None:
                meters.append(Meter("concurrency", "concurrency", most.key, "key", exceeded))
            if most is not None and most.organization is not None:
                meters.append(
                    Meter(
                        f"organization/{plan.id}/concurrency",
                        "concurrency",
                        most.organization,
                        "organization",
                        exceeded,
                    )
                )
            self._concurrency[plan.id] = meters
        self._organizations = {
            each.id: _posting(
                Meter("organization/concurrency", "concurrency", each.concurrency, "organization", exceeded)
            )
            for each in config.organizations
            if each.concurrency is not None
        }

    def moved_by(self, route: str, methods: Iterable[str]) -> Metering | None:
        """Return how calls of the route with that id change meters, None if they do not."""
        plans: dict[tuple[str, str], tuple[Posting, ...]] = {}
        for plan, quotas in self._quotas.items():
            for method in methods:
                postings = [
                    _posting(meter)
                    for quota, meter in quotas
                    if any(calls.includes(route, method) for calls in quota.charge)
                ]
                postings += [
                    _posting(meter, "release")
                    for quota, meter in quotas
                    if any(c.includes(route, method) for c in quota.release or ())
                ]
                postings += [_posting(meter) for meter in self._concurrency[plan]]
                if postings:
                    plans[plan, method] = tuple(postings)
        return Metering(plans, self._organizations) if plans or self._organizations else None


def _posting(meter: Meter, act: Act = "charge") -> Posting:
    """Make a posting. Its key names the kind, so that a quota that changes its kind starts from zero."""
    return Posting(f"{meter.kind}/{meter.id}", meter, act)


def _meter(quota: Quota, plan: str, spent: Fault) -> Meter:
    name = quota.id if quota.scope == "key" else f"organization/{plan}/{quota.id}"
    amount = quota.amount
    return Meter(
        name,
        quota.kind,
        quota.max,
        quota.scope,
        quota_fault(quota, spent),
        quota.kind != "level" and quota.per != "ever",
        max(1, round(quota.lasts_s * 1000)) if quota.kind == "level" else LEASE_MS,
        AmountSource(
            amount.header.lower().encode() if amount.header else None,
            tuple(amount.field.split(".")) if amount.field else (),
        )
        if amount is not None
        else None,
    )


def quota_fault(quota: Quota, spent: Fault) -> Fault:
    """Return the fault of a spent quota with the texts of that quota.

    A message that an operator wrote for all quotas stays.
    """
    own = spent.message != QUOTA_SPENT.message
    return msgspec.structs.replace(
        spent,
        code=quota.code,
        message=quota.message or (spent.message if own else MESSAGES.get(quota.code, MESSAGES[LIMIT_EXCEEDED])),
        developer_message=quota.developer_message or spent.developer_message,
        links=spent.links if quota.links is None else tuple(Link(link.href, link.title) for link in quota.links),
    )
