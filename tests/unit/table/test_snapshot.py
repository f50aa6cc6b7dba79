"""table/snapshot.py: a configuration compiled as far as all workers can share it."""

import pytest

from gateway.settings import parse
from gateway.table.snapshot import compile_snapshot

TEXT = """
version: 1
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}], health: {path: /healthz}}]
routes: [{id: a, match: {path: /a}, upstream: u}]
"""


def test_a_snapshot_names_its_source_and_its_content() -> None:
    first, same, other = (
        compile_snapshot(parse(text), None, "a.yaml") for text in (TEXT, TEXT, TEXT.replace("/healthz", "/ready"))
    )
    assert (first.source, first.origins) == ("a.yaml", None)
    assert first.digest == same.digest != other.digest
    assert list(first.shared_state.upstreams) == ["u"]
    assert "malformed_request" in first.faults


@pytest.mark.parametrize(
    ("redis", "needed"),
    [
        ("", False),
        ("redis: {url: redis://127.0.0.1:1/0}", False),
        ("redis: {url: redis://127.0.0.1:1/0, on_failure: deny}", True),
    ],
)
def test_redis_is_needed_where_callers_are_refused_without_it(redis: str, *, needed: bool) -> None:
    assert compile_snapshot(parse(TEXT + redis), None, "").needs_redis is needed
