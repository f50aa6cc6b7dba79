"""The callers of the configuration: keys, found by the SHA-256 of their secret."""

from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import ClassVar, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec.structs import force_setattr

from gateway.kernel.addresses import Binding
from gateway.kernel.faults import (
    KEY_DISABLED,
    KEY_EXPIRED,
    KEY_MISSING,
    KEY_UNKNOWN,
    ORGANIZATION_DISABLED,
    ORGANIZATION_FORBIDDEN,
    GatewayError,
    refusal,
)
from gateway.kernel.limits.ratelimit_headers import limit_fields
from gateway.kernel.limits.token_bucket import Claim, Window, claim
from gateway.kernel.memo import MANY_CALLERS, Memo

T_contra = TypeVar("T_contra", contravariant=True)


class Caller(msgspec.Struct, frozen=True, eq=False):
    """The sender of a request: a key on behalf of an organisation, or a client address on an open route.

    `id` goes to the log, `bucket` and `organization_bucket` (hashes, never the secret) to the limiter's store, `head`
    (complete header lines that say who calls) to the upstream. `claim` is what a call needs where the route asks for
    nothing more, `peek` the same at no cost. `routes` and `methods` are None when all are allowed. `several` says that
    its key has other organisations, too; `binding` where it may come from, None for anywhere. `lasting`: who shows the
    key is this caller as long as the configuration is in force, because the key is part of it and does not expire.
    `unrestricted` follows from the others: it may use every route and method, from anywhere.
    """

    id: str
    organization: str | None
    plan: str
    bucket: str
    organization_bucket: str
    claim: Claim
    peek: Claim
    head: bytes
    routes: frozenset[str] | None = None
    methods: frozenset[str] | None = None
    several: bool = False
    binding: Binding | None = None
    lasting: bool = False
    unrestricted: bool = False

    def __post_init__(self) -> None:
        """Set what follows from the other fields."""
        force_setattr(self, "unrestricted", self.routes is None and self.methods is None and self.binding is None)


ONE_TAG = "all"
"""The hash tag of all buckets, where all callers share one of them."""


FoundCaller: TypeAlias = Caller | GatewayError
"""A caller, or why it is refused. Refusals are common and returned as values: to raise them would cost more."""


class Key(msgspec.Struct, frozen=True):
    """A key of the configuration. `callers` holds one Caller for each of its organisations, the default one under None.

    `expires` is Unix time in seconds, None for never.
    """

    id: str
    callers: dict[str | None, Caller]
    disabled: bool
    disabled_organizations: frozenset[str]
    expires: float | None


class Known(Protocol[T_contra]):
    """Maps the proof of a key (a digest or a certificate subject) to the key, or to None for an unknown proof."""

    def __getitem__(self, shown: T_contra, /) -> Key | None: ...


class Keyring:
    """Finds the key for a secret.

    The look-up is by digest. Its duration depends on the digest of the given secret only, so it reveals nothing about
    the digest or the secret of any key.
    """

    __slots__ = ("_by_digest", "_by_id", "_by_subject")

    def __init__(self, keys: Known[bytes], certified: Known[str], named: Known[str]) -> None:
        """Take the keys by the digest of their secret, by the subject of their certificate, and by their id."""
        self._by_digest = keys
        self._by_subject = certified
        self._by_id = named

    def named(self, key_id: str) -> Key | None:
        """Return the key with this id, for operators, who do not know secrets."""
        return self._by_id[key_id]

    def find(
        self, secret: str, organization: str | None, wall_s: float, _client: str = "", digest: bytes = b""
    ) -> FoundCaller:
        """Return the caller that `secret` stands for, on behalf of `organization` (None: the key's default one).

        `digest` is the SHA-256 of the secret if that is known already. There is a refusal in place of the caller:
        KEY_UNKNOWN, KEY_EXPIRED, KEY_DISABLED, ORGANIZATION_FORBIDDEN or ORGANIZATION_DISABLED.
        """
        key = self._by_digest[digest or sha256(secret.encode("utf-8", "surrogateescape")).digest()]
        if key is None:
            return refusal(KEY_UNKNOWN)
        return speaking_for(key, organization, wall_s)

    def certified(self, subject: str, organization: str | None, wall_s: float, _client: str = "") -> FoundCaller:
        """Return the caller whose certificate says `subject`, or a refusal as `find` does: KEY_MISSING for nobody."""
        key = self._by_subject[subject]
        if key is None:
            return refusal(KEY_MISSING)
        return speaking_for(key, organization, wall_s)


def speaking_for(key: Key, organization: str | None, wall_s: float) -> FoundCaller:
    """Return the caller that uses `key` on behalf of `organization`, or why it may not."""
    if key.expires is not None and wall_s >= key.expires:
        return refusal(KEY_EXPIRED)
    if key.disabled:
        return refusal(KEY_DISABLED)
    caller = key.callers.get(organization)
    if caller is None:
        return refusal(ORGANIZATION_FORBIDDEN)
    if caller.organization in key.disabled_organizations:
        return refusal(ORGANIZATION_DISABLED)
    return caller


class Credentials(msgspec.Struct, frozen=True):
    """The places of credentials in a request, and the keyring they are checked against."""

    keyring: Keyring
    key_header: str
    key_query: str
    organization_header: str


class Visitors:
    """Callers of routes without keys: one for each client address (IPv6: each /64 network) and plan."""

    __slots__ = ("_known",)

    REMEMBERED: ClassVar = MANY_CALLERS // 2

    def __init__(self) -> None:
        self._known: Memo[tuple[str, str], Caller] = Memo(self.REMEMBERED)

    def find(self, address: str, plan: str, windows: tuple[Window, ...], tag: str | None = None) -> Caller:
        """Return the caller for a client at `address` (numeric, or a socket's path). `tag` is as for `bucket_name`."""
        known = self._known.get((address, plan))
        if known is not None and known.claim.windows is windows:
            return known
        bucket = bucket_name(tag, bucket_of(f"{plan} {network_of(address)}"))
        fields = limit_fields([window for window in windows if not window.shadow])
        caller = Caller(
            "anonymous",
            None,
            plan,
            bucket,
            bucket,
            claim(bucket, windows, 1, fields),
            claim(bucket, windows, 0, fields),
            b"",
        )
        return self._known.keep((address, plan), caller)


def bucket_name(tag: str | None, owner: str = "") -> str:
    """Return the name of a bucket in the store.

    `tag` decides on which node of a cluster the bucket lies; None derives that from the owner.
    """
    return f"{{{owner}}}" if tag is None else f"{{{tag}}}:{owner}".removesuffix(":")


def bucket_of(owner: str) -> str:
    """Return the name of an owner in the store: a hash, so that the store reveals nothing about callers."""
    return sha256(owner.encode()).hexdigest()[:32]


def network_of(address: str) -> str:
    """Return the address of an IPv4 client, the /64 network of an IPv6 client, and any other text unchanged."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))
    return address
