"""settings/schema/types.py: values are spelled as in a file, and secrets are hidden."""

from gateway.settings.schema.config import Config
from gateway.settings.schema.types import Section, Token, Workers, default, section


class Inner(Section):
    """A part."""

    token: Token | None = None


class Sample(Section):
    """A whole."""

    workers: Workers = default("auto", "How many.")
    inner: Inner = section(Inner, "A part.")


def test_values_are_spelled_as_in_a_file() -> None:
    sample = Sample.model_validate({"inner": {"token": "hidden"}})
    assert sample.model_dump(mode="json") == {"workers": "auto", "inner": {"token": "***"}}
    assert sample.inner.token is not None
    assert sample.inner.token.get_secret_value() == "hidden"
    server = Config.model_validate({"version": 1}).server.model_dump(mode="json")
    assert (server["drain_delay"], server["limits"]["unread"], server["listeners"][0]["address"]) == (
        "5s",
        "512MiB",
        "127.0.0.1:8080",
    )


def test_an_empty_secret_is_none() -> None:
    assert Inner.model_validate({"token": ""}).token is None


def test_an_instant_is_spelled_in_utc() -> None:
    key = {"id": "k", "secret_sha256": "0" * 64, "expires": "2030-01-01T02:00:00+02:00"}
    config = Config.model_validate({"version": 1, "keys": [key]})
    assert config.keys[0].model_dump(mode="json")["expires"] == "2030-01-01T00:00:00Z"
