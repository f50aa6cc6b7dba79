import sys

import pytest

from gateway.settings import parse
from tests.yaml_files import LEAST, added


@pytest.mark.parametrize("missing", ["opentelemetry.exporter.otlp.proto.http", "opentelemetry.exporter.otlp.proto"])
def test_traces_without_their_extra_are_an_error_that_names_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "observability: {traces: {endpoint: 'http://collector:4318/v1/traces'}}\n"
    parse(LEAST + text, "f", {})
    monkeypatch.delitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    what, hint = (
        "spans need the Python package `opentelemetry-exporter-otlp-proto-http`",
        "install the gateway with its extra `otel`",
    )
    assert added(text) == [f"4:17 observability.traces: {what}; {hint}"]
    parse(LEAST, "f", {})
