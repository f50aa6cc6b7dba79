"""edge/proxy_protocol.py: what PROXY headers say."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.proxy_protocol import MOST_BYTES, ProxyHeaderError, client_address, size
from tests.unit.edge.listening import GET
from tests.unit.edge.proxy_headers import TELLING, V1, V2, WRONG


@pytest.mark.parametrize(("header", "address"), TELLING)
def test_the_address_in_a_header(header: bytes, address: str | None) -> None:
    assert size(header) == size(header + GET) == len(header)
    assert client_address(header) == address
    assert all(size(header[:end]) in (None, len(header)) for end in range(1, len(header)))


@pytest.mark.parametrize("header", WRONG)
def test_what_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        client_address(header[: size(header)])


@given(
    st.binary(max_size=300)
    | st.binary(max_size=60).map(lambda rest: V1[:11] + rest)
    | st.binary(max_size=60).map(lambda rest: V2[:13] + rest)
)
def test_whatever_comes_is_a_header_or_refused(begin: bytes) -> None:
    try:
        whole = size(begin)
        if whole is not None:
            assert 0 < whole <= MOST_BYTES
            address = client_address(begin[:whole]) if whole <= len(begin) else None
            assert address is None or str(ip_address(address)) == address
    except ProxyHeaderError:
        pass
