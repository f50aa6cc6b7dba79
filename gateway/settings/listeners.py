"""Whether listeners can do what is asked of them: their addresses, their certificates."""

import ssl
from pathlib import Path

from gateway.settings.draft import Draft
from gateway.settings.pairs import PairError, load_authorities, load_pair
from gateway.settings.places import Loc
from gateway.settings.schema.addresses import UnixAddress
from gateway.settings.schema.server import ListenerTls
from gateway.settings.schema.values import Address


def check_listeners(draft: Draft) -> None:
    """Takes note of listeners that contradict each other, and of files that TLS cannot use."""
    config = draft.config
    taken: dict[Address | UnixAddress, str] = {}
    ids: set[str] = set()
    for index, listener in enumerate(config.server.listeners):
        loc: Loc = ("server", "listeners", index)
        if listener.id in ids:
            draft.refuse((*loc, "id"), f"`{listener.id}` is the id of another listener")
        ids.add(listener.id)
        if listener.address in taken and (isinstance(listener.address, UnixAddress) or listener.address.port):
            draft.refuse((*loc, "address"), f"`{listener.address}` is the address of {taken[listener.address]} as well")
        taken[listener.address] = f"listener `{listener.id}`"
        if listener.tls is not None:
            _tls(draft, (*loc, "tls"), listener.tls)
    if config.admin.address.port and config.admin.address in taken:
        draft.refuse(("admin", "address"), f"`{config.admin.address}` is the address of {taken[config.admin.address]} as well")


def check_file(draft: Draft, loc: Loc, path: str | None) -> bool:
    """Whether `path` (None: there need be none) is a file that can be read; if not, that is noted."""
    if path is None or (readable := _readable(path)):
        return True
    if "-----BEGIN" in path or "\n" in path:
        draft.refuse(loc, "the path of a file is wanted here, not its content")
    elif not readable:
        draft.refuse(loc, f"there is no readable file `{path}`")
    return False


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb") as stream:
            return bool(stream.read(1))
    except (OSError, ValueError):
        return False


def _tls(draft: Draft, loc: Loc, tls: ListenerTls) -> None:
    for index, pair in enumerate(tls.certificates):
        here: Loc = (*loc, "certificates", index)
        readable = [check_file(draft, (*here, name), getattr(pair, name)) for name in ("certificate", "private_key")]
        if not all(readable):
            continue
        try:
            load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pair.certificate, pair.private_key)
        except PairError as error:
            draft.refuse((*here, "private_key" if error.about_key and pair.private_key else "certificate"), str(error))
    if tls.client_ca is not None and check_file(draft, (*loc, "client_ca"), tls.client_ca):
        try:
            load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls.client_ca)
        except PairError as error:
            draft.refuse((*loc, "client_ca"), str(error))
