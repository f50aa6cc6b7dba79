"""settings/schema/addresses.py: the parameters of a Redis URL."""

import pytest

from gateway.settings.schema.addresses import files_of, redis_url
from gateway.settings.schema.values import RefusedError


@pytest.mark.parametrize(
    "url", ["redis://h:1/0?db=1", "rediss://h:1?ssl_ca_certs=/ca.pem", "redis+sentinel://h:1/main?sentinel_username=u"]
)
def test_what_is_accepted(url: str) -> None:
    assert redis_url(url) == url


def test_files_are_those_of_tls() -> None:
    assert files_of("rediss://h:1?ssl_ca_certs=/ca.pem&db=1&ssl_keyfile=/key.pem") == [
        ("ssl_ca_certs", "/ca.pem"),
        ("ssl_keyfile", "/key.pem"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:1?ssl_ca_certs=/ca.pem",
        "unix:///a?socket_keepalive=yes",
        "redis://h:1?sentinel_password=p",
        "redis+cluster://h:1?db=1",
        "redis://h:1?s3cret=1",
        "redis://h:1?db=x",
        "redis://h:1?" + "&".join(["db=1"] * 60),
    ],
)
def test_what_is_refused(url: str) -> None:
    with pytest.raises(RefusedError):
        redis_url(url)
