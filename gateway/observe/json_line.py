"""Encodes records as lines of JSON."""

import msgspec

_encode_lines = msgspec.json.Encoder().encode_lines


def encoded(record: msgspec.Struct) -> bytes:
    """Return a line of JSON."""
    try:
        return _encode_lines([record])  # a list: the encoder never releases the iterator that it makes of anything else
    except UnicodeEncodeError:
        # Bytes over 127 in a request reach us as lone surrogates.
        return _encode_lines([_spelled_out(record)])


def _spelled_out(record: msgspec.Struct) -> msgspec.Struct:
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, str):
            setattr(record, name, value.encode(errors="backslashreplace").decode())
    return record
