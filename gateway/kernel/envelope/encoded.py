"""What msgspec decodes envelopes to, and encodes Messages from. No module that is compiled may define such structs."""

import msgspec
from msgspec import UNSET, UnsetType


class EnvelopeMembers(msgspec.Struct):
    """The members that identify an envelope, as they were spelled."""

    requestId: msgspec.Raw | UnsetType = UNSET  # noqa: N815  # the contract's spelling
    status: msgspec.Raw | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET


class EncodedLink(msgspec.Struct, gc=False):
    """A Link of the contract, for the encoder: `Link` is a tuple, which would become an array."""

    href: str
    title: str


class EncodedMessage(msgspec.Struct, gc=False):
    """A Message of the contract, for the encoder. What is UNSET is left out."""

    date: str | UnsetType
    id: str
    type: str
    text: str
    field: str | UnsetType
    links: list[EncodedLink] | UnsetType
    more: dict[str, str] | UnsetType


MEMBERS = msgspec.json.Decoder(EnvelopeMembers)
"""Checks a whole text like `gateway.kernel.envelope.raw_json.is_syntax`, at the same cost."""
