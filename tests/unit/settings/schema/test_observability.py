import pytest

from gateway.settings import parse
from tests.yaml_files import LEAST, added

TOKEN = "admin: {token: sesame-open-the-door}\n"
ENDPOINT = "endpoint: 'http://collector:4318/v1/traces'"


def test_traces_have_defaults() -> None:
    traces = parse(LEAST + f"observability: {{traces: {{{ENDPOINT}}}}}\n", "f", {}).observability.traces
    assert traces is not None
    assert (str(traces.endpoint), traces.sample, traces.headers, traces.service_name) == (
        "http://collector:4318/v1/traces", 0.05, {}, "gateway",
    )  # fmt: skip
    assert parse(LEAST, "f", {}).observability.traces is None


def test_the_header_fields_for_the_collector_are_secrets() -> None:
    text = f"observability: {{traces: {{{ENDPOINT}, headers: {{x-key: Bearer hush}}}}}}\n"
    traces = parse(LEAST + text, "f", {}).observability.traces
    assert traces is not None
    assert traces.headers["x-key"].get_secret_value() == "Bearer hush"
    assert "hush" not in repr(traces)
    assert "hush" not in str(traces.model_dump(mode="json"))


def test_captures_have_defaults_and_are_off_without_them() -> None:
    capture = parse(LEAST + TOKEN + "observability: {capture: {on: [5xx, 404, upstream_body_invalid]}}\n", "f", {})
    wanted = capture.observability.capture
    assert wanted is not None
    assert (wanted.on, wanted.body, wanted.share, wanted.redact, wanted.max_per_second) == (
        ("5xx", "404", "upstream_body_invalid"), 4096, 1.0, (), 20,
    )  # fmt: skip
    assert parse(LEAST, "f", {}).observability.capture is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "observability.capture.on: missing"),
        ("{on: []}", "observability.capture.on"),
        ("{on: [3xx]}", "observability.capture.on[0]: `3xx` is neither a status"),
        ("{on: [200]}", "observability.capture.on[0]: `200` is neither a status"),
        ("{on: [true]}", "observability.capture.on[0]: a status"),
        ("{on: [upstream_body_invald]}", "did you mean `upstream_body_invalid`?"),
        ("{on: [everything-else]}", "`gateway errors` lists the faults"),
        ("{on: [5xx], body: 17KiB}", "observability.capture.body"),
        ("{on: [5xx], max_per_second: 0}", "observability.capture.max_per_second"),
        ("{on: [5xx], share: 2}", "observability.capture.share"),
        ("{on: [5xx], redact: [card.number]}", "write one such as `$.card.number`"),
        ("{on: [5xx], redact: ['$.items[0]']}", "observability.capture.redact[0]"),
        ("{on: [5xx], redact: [3]}", "observability.capture.redact[0]"),
    ],
)
def test_captures_have_rules(text: str, problem: str) -> None:
    [line] = added(f"observability: {{capture: {text}}}")
    assert problem in line


@pytest.mark.parametrize("rule", ["password", "X-Note", "$.card.number", "$.items[*].sku", "$[*].a", "$.a[*][*]"])
def test_names_and_paths_are_redacted(rule: str) -> None:
    text = LEAST + TOKEN + f"observability: {{capture: {{on: [5xx], redact: ['{rule}']}}}}\n"
    capture = parse(text, "f", {}).observability.capture
    assert capture is not None
    assert capture.redact == (rule,)


def test_buckets_ascend() -> None:
    assert added("observability: {metrics: {buckets: [2s, 1s]}}") == [
        "4:36 observability.metrics.buckets: the bounds of buckets ascend"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "observability.traces.endpoint"),
        ("{endpoint: collector}", "observability.traces.endpoint"),
        ("{endpoint: 'http://user:pass@collector/v1/traces'}", "observability.traces.endpoint"),
        (f"{{{ENDPOINT}, sample: 5}}", "observability.traces.sample"),
        (f"{{{ENDPOINT}, sample: 101%}}", "observability.traces.sample"),
        (f"{{{ENDPOINT}, service_name: ''}}", "observability.traces.service_name"),
        (f"{{{ENDPOINT}, headers: {{a b: c}}}}", "observability.traces.headers"),
        (f"{{{ENDPOINT}, headers: {{a: ''}}}}", "observability.traces.headers.a"),
        (f'{{{ENDPOINT}, headers: {{a: "b\\nc"}}}}', "observability.traces.headers.a"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    [line] = added(f"observability: {{traces: {text}}}")
    assert problem in line


def test_usage_has_defaults_and_is_off_without_them() -> None:
    text = LEAST + "redis: {url: 'redis://127.0.0.1:1'}\n"
    usage = parse(text + "observability: {usage: {}}\n", "f", {}).observability.usage
    assert usage is not None
    assert (usage.retention, usage.max_rows) == (400 * 86_400, 100_000)
    assert parse(text, "f", {}).observability.usage is None


@pytest.mark.parametrize(
    "text", ["{retention: 23h}", "{retention: 0s}", "{max_rows: 10}", "{max_rows: 1e9}", "{rows: 1}"]
)
def test_usage_has_bounds(text: str) -> None:
    [line] = added(f"redis: {{url: 'redis://127.0.0.1:1'}}\nobservability: {{usage: {text}}}")
    assert "observability.usage" in line
