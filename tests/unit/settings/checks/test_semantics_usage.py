"""settings/checks/semantics.py: usage needs a Redis."""

from gateway.settings import parse
from tests.yaml_files import LEAST, added

USAGE = "observability: {usage: {}}\n"


def test_usage_without_redis_is_an_error_that_says_what_to_add() -> None:
    assert added(USAGE) == ["4:17 observability.usage: there is no Redis to keep usage in; add `redis: {url: …}`"]
    assert parse(LEAST + USAGE + "redis: {url: 'redis://127.0.0.1:1'}\n").observability.usage is not None
