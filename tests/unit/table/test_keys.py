"""table/keys.py: keys are made when somebody comes with them."""

from gateway.settings import parse
from gateway.settings.schema.access import KeySettings
from gateway.table import Key
from gateway.table.keys import KeyMaker, Made

CONFIG = parse(
    """
version: 1
organizations: [{id: acme}, {id: initech, disabled: true}]
plans: [{id: gold, limits: [{id: minute, max: 500, per: 1m}]}]
keys:
- {id: one, secret_sha256: DIGEST_a, organizations: [acme, initech], plan: gold, routes: ["orders.*"], methods: [GET]}
- {id: lone, secret_sha256: DIGEST_b, expires: "2027-06-30T00:00:00Z", disabled: true}
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
- {id: orders.item, match: {path: "/orders/{id}"}, upstream: orders}
- {id: orders.all, match: {path: /orders}, upstream: orders}
- {id: other, match: {path: /other}, upstream: orders}
""".replace("DIGEST_a", "a" * 64).replace("DIGEST_b", "b" * 64)
)
MAKER = KeyMaker(CONFIG)


def test_a_key_has_a_caller_for_each_of_its_organisations() -> None:
    key = MAKER.make(CONFIG.keys[0])
    assert list(key.callers) == ["acme", "initech", None]
    assert key.callers[None] is key.callers["acme"]
    assert key.disabled_organizations == {"initech"}
    caller = key.callers["initech"]
    assert caller.head == (
        b"X-Caller-Id: one\r\nX-Caller-Organization: initech\r\nX-Tenant-Org-Id: initech\r\nX-Caller-Plan: gold\r\n"
    )
    assert caller.several
    assert caller.routes == frozenset({"orders.item", "orders.all"})
    assert caller.methods == frozenset({"GET", "HEAD"})
    assert [window.max for window in caller.claim.windows] == [500]
    assert (caller.claim.cost, caller.peek.cost) == (1, 0)


def test_a_key_without_an_organisation_may_do_all_that_nobody_denies() -> None:
    key = MAKER.make(CONFIG.keys[1])
    assert list(key.callers) == [None]
    assert (key.disabled, key.expires) == (True, 1814313600.0)
    assert (key.callers[None].lasting, MAKER.make(CONFIG.keys[0]).callers[None].lasting) == (False, True)
    assert (key.callers[None].routes, key.callers[None].methods) == (None, None)
    assert key.callers[None].bucket == key.callers[None].organization_bucket


def test_keys_have_in_common_what_is_the_same_for_all_of_them() -> None:
    one, other = (
        MAKER.make(KeySettings(id=digit, secret_sha256=digit * 64, organizations=("acme",))).callers[None]
        for digit in "cd"
    )
    assert one.bucket != other.bucket
    assert one.organization_bucket is other.organization_bucket
    assert one.claim.tag is other.claim.tag
    assert (one.claim.windows, one.claim.text) == (other.claim.windows, other.claim.text)
    assert one.claim.windows is other.claim.windows
    assert one.peek.keys is one.claim.keys


def test_a_key_is_made_once_while_it_is_remembered() -> None:
    made: list[str] = []

    def make(setting: KeySettings) -> Key:
        made.append(setting.id)
        return MAKER.make(setting)

    settings = {f"{number}": CONFIG.keys[0].model_copy(update={"id": f"k{number}"}) for number in range(65)}
    keys = Made(settings.get, make)
    keys.most = 64
    first = keys["0"]
    assert keys["0"] is first
    assert keys["nobody"] is None
    for number in range(65):
        assert keys[f"{number}"] is not None
    assert len(made) == 65
    assert keys["0"] is not first
    assert made[-1] == "k0"


def test_a_key_may_be_bound_to_addresses_and_pages() -> None:
    bound = KeySettings.model_validate(
        {"id": "b", "secret_sha256": "c" * 64, "allow": ["10.0.0.0/8"], "referrers": ["https://a.example"]}
    )
    binding = MAKER.make(bound).callers[None].binding
    assert binding is not None
    assert binding.addresses is not None
    assert (binding.addresses.permits("10.0.0.1"), binding.addresses.permits("192.0.2.1")) == (True, False)
    assert binding.referrers is not None
    assert binding.referrers.permits("https://a.example", None)
    assert MAKER.make(CONFIG.keys[1]).callers[None].binding is None


def test_a_stored_key_keeps_its_bucket_when_it_gets_another_secret() -> None:
    stored = KeyMaker(
        parse(
            "version: 1\nredis: {url: 'redis://localhost'}\nkeys: {store: redis}\n"
            "upstreams: [{id: u, targets: [{url: 'http://127.0.0.1:1'}]}]\n"
            "routes: [{id: r, match: {prefix: /}, upstream: u}]\n"
        )
    )
    for maker, same in ((stored, True), (MAKER, False)):
        first, second = (maker.make(KeySettings(id="a", secret_sha256=digit * 64)).callers[None] for digit in "cd")
        assert (first.bucket == second.bucket) is same
        assert first.lasting is not same  # what is stored may change at any time
