import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.masking import masked

SECRET = "s3cr3t-V4lue"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  path: /v1/orders", "  path: /v1/orders"),
        (f"  token: {SECRET}", "  token: ***"),
        (f"  token: '{SECRET}'  # why", "  token: ***"),
        (f'  "token": "{SECRET}"', '  "token": ***'),
        (f"token: {SECRET}, and more", "token: ***"),
        (f"  - secret_sha256: {SECRET}", "  - secret_sha256: ***"),
        (f"keys: [{{id: a, secret_sha256: {SECRET}, plan: b}}]", "keys: [{id: a, secret_sha256: ***, plan: b}]"),
        (f'  - {{id: a, secret: "x, {SECRET}", plan: b}}', "  - {id: a, secret: ***, plan: b}"),
        (f"  tokn: {SECRET}", "  tokn: ***"),
        (f"  Authorization: Bearer {SECRET}", "  Authorization: ***"),
        (f"  set: {{X-Api-Key: {SECRET}, X-A: b}}", "  set: {X-Api-Key: ***, X-A: b}"),
        (f"  X-Backend-Auth: {SECRET}", "  X-Backend-Auth: ***"),
        (f"  key: {SECRET}", "  key: ***"),
        ("  key: {header: X-Api-Key, query: X-Api-Key}", "  key: {header: X-Api-Key, query: X-Api-Key}"),
        ("  token: ${GATEWAY_ADMIN_TOKEN}", "  token: ${GATEWAY_ADMIN_TOKEN}"),
        ('  token: "${file:/run/secrets/token}"', '  token: "${file:/run/secrets/token}"'),
        ("  token: ${TOKEN:?ask}", "  token: ${TOKEN:?ask}"),
        (f"  token: ${{TOKEN:-{SECRET}}}", "  token: ***"),
        (f"  token: ${{TOKEN}}{SECRET}", "  token: ***"),
        (f"  url: redis://user:{SECRET}@redis:6379/0", "  url: redis://***@redis:6379/0"),
        (f"  url: ${{REDIS_URL:-redis://:{SECRET}@redis:6379}}", "  url: ${REDIS_URL:-redis://***@redis:6379}"),
        ("  token: |", "  token: |"),
        ("  auth: none", "  auth: none"),
    ],
)
def test_values_that_look_like_secrets_are_hidden(line: str, shown: str) -> None:
    assert masked([line], 1, 1)[0] == shown


@pytest.mark.parametrize(
    ("lines", "number", "shown"),
    [
        (["admin:", "  token: |", f"    {SECRET}"], 3, "    ***"),
        (["admin:", "  token:", f"    {SECRET}"], 3, "    ***"),
        (["  private_key: |", "    -----BEGIN", f"    {SECRET}"], 3, "    ***"),
        (["  token: 'a", "", f"    {SECRET}'"], 3, "    ***"),
        (["auth:", "  key:", "    header: X-Api-Key"], 3, "    header: X-Api-Key"),
        (["routes:", "  - id: a"], 2, "  - id: a"),
    ],
)
def test_lines_that_continue_a_secret_are_hidden(lines: list[str], number: int, shown: str) -> None:
    assert masked(lines, number, 1)[0] == shown


@pytest.mark.parametrize(
    ("line", "column", "at"),
    [
        ("  path: /v1", 9, "/v1"),
        ("{token: aaaaaaaa, plan: b}", 19, "plan: b}"),
        ("{token: aaaaaaaa, plan: b}", 9, "***, plan: b}"),
        ("url: redis://user:pass@host/x", 6, "redis://***@host/x"),
    ],
)
def test_the_caret_moves_with_what_is_hidden(line: str, column: int, at: str) -> None:
    shown, caret = masked([line], 1, column)
    assert shown[caret - 1 :] == at


def test_long_lines_are_cut_around_the_column() -> None:
    shown, caret = masked(["a" * 500 + "X" + "b" * 500], 1, 501)
    assert len(shown) < 170
    assert shown[caret - 1] == "X"
    shown, caret = masked(["X" + "b" * 500], 1, 1)
    assert (shown[0], caret) == ("X", 1)


@pytest.mark.parametrize("number", [0, 2, 99])
def test_there_may_be_nothing_to_show(number: int) -> None:
    assert masked(["a", "  "], number, 3) == ("", 3)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60), st.integers(0, 80))
def test_any_line_and_column_will_do(line: str, column: int) -> None:
    shown, caret = masked([line], 1, column)
    assert 1 <= caret <= max(column, 1) or not shown
    assert shown == line.rstrip() or "***" in shown or not line.strip()
