"""Checks the addresses and certificates of listeners."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from gateway.net.address import Address, UnixAddress, is_unspecified
from gateway.net.pem import PairError, can_read_certificates, load_authorities, load_pair
from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.server import ListenerTls

Load: TypeAlias = Callable[[ssl.SSLContext, str, str | None], object]
"""`load_pair` or `load_chain`."""


def check_listeners(context: CheckContext) -> None:
    """Report listeners that contradict each other, and files that TLS cannot use."""
    config = context.config
    addresses: dict[Address | UnixAddress, str] = {}
    ids: set[str] = set()
    for index, listener in enumerate(config.server.listeners):
        loc: Loc = ("server", "listeners", index)
        if listener.id in ids:
            context.report((*loc, "id"), f"`{listener.id}` is the id of another listener")
        ids.add(listener.id)
        if listener.address in addresses and (isinstance(listener.address, UnixAddress) or listener.address.port):
            context.report(
                (*loc, "address"), f"`{listener.address}` is the address of {addresses[listener.address]} as well"
            )
        addresses[listener.address] = f"listener `{listener.id}`"
        if listener.tls is not None:
            _tls(context, (*loc, "tls"), listener.tls)
    if config.admin.address.port and config.admin.address in addresses:
        context.report(
            ("admin", "address"),
            f"`{config.admin.address}` is the address of {addresses[config.admin.address]} as well",
        )
    advertised = config.admin.advertise
    if advertised is not None and (not advertised.port or is_unspecified(advertised.host)):
        context.report(
            ("admin", "advertise"),
            f"`{advertised}` is no address that others can reach",
            "write the host and the port under which other gateways find this one, such as `10.0.0.7:9901`",
        )


def check_file(context: CheckContext, loc: Loc, path: str | None) -> bool:
    """Return whether `path` is None or a readable file. Reports a problem if it is not."""
    if path is None or (readable := _readable(path)):
        return True
    if "-----BEGIN" in path or "\n" in path:
        context.report(loc, "the path of a file is wanted here, not its content")
    elif not readable:
        context.report(loc, f"there is no readable file `{path}`")
    return False


def check_pair(context: CheckContext, loc: Loc, certificate: str | None, private_key: str | None, load: Load) -> None:
    """Report files of a certificate and its key at `loc` that `load` cannot use."""
    readable = [
        check_file(context, (*loc, name), path)
        for name, path in (("certificate", certificate), ("private_key", private_key))
    ]
    if certificate is None or not all(readable):
        return
    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, private_key)
    except PairError as error:
        about_key = error.about_key and private_key is not None
        context.report(
            (*loc, "private_key" if about_key else "certificate"),
            f"`{private_key if about_key else certificate}`: {error}",
        )


def check_authorities(context: CheckContext, loc: Loc, path: str | None) -> None:
    """Report a file that holds no certificates. None means that there is no file."""
    if path is None or not check_file(context, loc, path):
        return
    try:
        load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), path)
    except PairError as error:
        context.report(loc, f"`{path}`: {error}")


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb") as stream:
            return bool(stream.read(1))
    except (OSError, ValueError):
        return False


def _tls(context: CheckContext, loc: Loc, tls: ListenerTls) -> None:
    if not can_read_certificates():
        context.report(
            loc, "TLS needs the Python package `cryptography`", "install the gateway with its extra `identities`"
        )
        return
    for index, pair in enumerate(tls.certificates):
        check_pair(context, (*loc, "certificates", index), pair.certificate, pair.private_key, load_pair)
    check_authorities(context, (*loc, "client_ca"), tls.client_ca)
