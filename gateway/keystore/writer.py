"""Changes one key in Redis over the limiter's connection: whole, and only if nobody else has changed it."""

import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import cast

import msgspec

from gateway.audit.records import AuditRecord, encode_record
from gateway.audit.redis_stream import LENGTH, stream_of
from gateway.keystore.reader import KeyReader, RefusedCommandError
from gateway.keystore.records import CHANGES_KEPT, TAG, KeyNames, StoredKey
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import pack, sha_of

SCRIPT = files("gateway.keystore").joinpath("replace_key.lua").read_bytes()
"""The script that a KeyWriter needs besides those of its KeyReader."""
_SHA = sha_of(SCRIPT)
_decoder = msgspec.json.Decoder(StoredKey)


class KeyContent(msgspec.Struct, frozen=True):
    """A key as it was read, and when it was last used, in seconds of Unix time; None if it never was."""

    stored: StoredKey
    raw: bytes
    used_s: float | None


class KeyWriter:
    """Reads and replaces keys. `call` is that of a RedisStore with SCRIPT and those of a KeyReader.

    All methods raise RedisConnectionError.
    """

    def __init__(
        self, call: RedisCall, key_prefix: str, nonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._call = call
        self._reader = KeyReader(call, key_prefix)
        self._names = KeyNames.of(key_prefix)
        self._stream = stream_of(key_prefix)
        self._nonce = nonce

    async def read(self, key_id: str) -> KeyContent | None:
        """Return a key, None when there is none. Raises msgspec.MsgspecError for what no KeyRegistry has written."""
        raw, used = await self._reader.content(key_id), await self._reader.used(key_id)
        return None if raw is None else KeyContent(_decoder.decode(raw), raw, used)

    async def replace(self, before: KeyContent, after: StoredKey, record: AuditRecord) -> bool:
        """Write `after`, and the record of it. Return False if the key is not any more what it was."""
        names, entries = self._names, after.entries()
        ended = [proof for proof in before.stored.entries() if proof not in entries]
        change = " ".join([self._nonce(), *sorted({*ended, *entries})])
        arguments = (
            *(str(after.key["id"]).encode(), before.raw, msgspec.json.encode(after)),
            *(change.encode(), b"%d" % CHANGES_KEPT, names.changed.encode()),
            *(encode_record(record), b"%d" % LENGTH, b"%d" % len(ended), *(proof.encode() for proof in ended)),
            *(part for proof, entry in entries.items() for part in (proof.encode(), entry)),
        )
        keys = [name.encode() for name in (names.proofs, names.ids, names.changes, self._stream)]
        reply = await self._call(pack(b"EVALSHA", _SHA, b"%d" % len(keys), *keys, *arguments), TAG)
        if not isinstance(reply, list):
            raise RedisConnectionError(str(reply))  # a new one: replies are shared, and would gather tracebacks
        done, result = reply
        if not done:
            raise RefusedCommandError(cast("bytes", result).decode(errors="replace"))
        return result == 1
