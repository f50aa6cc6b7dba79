"""The part of a compiled configuration that all workers share."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from gateway.kernel.faults import Fault
from gateway.settings import Config
from gateway.settings.origins import Origins
from gateway.table.compile import build_credentials, build_faults
from gateway.table.keyring import Credentials
from gateway.upstream.shared_state import SharedState

ConfigSource: TypeAlias = Callable[[], tuple[Config, Origins | None]]
"""Reads the current configuration and its origins. Raises ConfigError."""


class Snapshot(msgspec.Struct, frozen=True):
    """A configuration compiled as far as all workers can share it.

    `source` names it in the log, `digest` identifies its content.

    `origins` is None for one that stands in no file. `needs_redis`: while Redis is away some callers are refused.
    `shared_state` holds what is found out about its targets. `requests` are the contracts of requests by the ids of
    routes, and `replies` those of replies. `document` is the OpenAPI document that is served, None for none.
    """

    config: Config
    origins: Origins | None
    source: str
    digest: str
    needs_redis: bool
    faults: dict[str, Fault]
    credentials: Credentials
    shared_state: SharedState
    requests: Mapping[str, Any] = MappingProxyType({})
    document: Any = None
    replies: Mapping[str, Any] = MappingProxyType({})


def compile_snapshot(
    config: Config,
    origins: Origins | None,
    source: str,
    requests: Mapping[str, Any] = MappingProxyType({}),
    document: Any = None,
    replies: Mapping[str, Any] = MappingProxyType({}),
) -> Snapshot:
    """Compile `config`. `requests`, `document` and `replies` are as in `Snapshot`."""
    digest = sha256(repr(config).encode()).hexdigest()[:12]
    needs_redis = "deny" in config.ways_without_redis()
    urls = {upstream.id: [str(target.url) for target in upstream.targets] for upstream in config.upstreams}
    shared_state = SharedState(urls, [upstream.id for upstream in config.upstreams if upstream.health is not None])
    return Snapshot(
        config,
        origins,
        source,
        digest,
        needs_redis,
        build_faults(config),
        build_credentials(config),
        shared_state,
        requests,
        document,
        replies,
    )
