import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.masking import masked, shown_path, shown_text

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
        (f"  set: {{X-Api-Key: {SECRET}, X-A: b}}", "  set: {X-Api-Key: ***, X-A: ***}"),
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
        ("  {token: aaaaaaaa, plan: b}", 21, "plan: b}"),
        ("  {token: aaaaaaaa, plan: b}", 11, "***, plan: b}"),
        ("  url: redis://user:pass@host:1/x", 8, "redis://***@host:1/x"),
    ],
)
def test_the_caret_moves_with_what_is_hidden(line: str, column: int, at: str) -> None:
    shown, caret = masked([line], 1, column)
    assert shown[caret - 1 :] == at


def test_long_lines_are_cut_around_the_column() -> None:
    shown, caret = masked(["  path: " + "a" * 500 + "X" + "b" * 500], 1, 509)
    assert len(shown) < 170
    assert shown[caret - 1] == "X"
    shown, caret = masked(["  path: " + "b" * 500], 1, 3)
    assert (shown[2], caret) == ("p", 3)


@pytest.mark.parametrize("number", [0, 2, 99])
def test_there_may_be_nothing_to_show(number: int) -> None:
    assert masked(["a", "  "], number, 3) == ("", 3)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60), st.integers(0, 80))
def test_any_line_and_column_will_do(line: str, column: int) -> None:
    shown, caret = masked([line], 1, column)
    assert 1 <= caret <= len(shown) + 1 or not shown
    assert shown == line.rstrip() or "***" in shown or not shown or " #" in line


@pytest.mark.parametrize(
    ("lines", "number", "shown"),
    [
        (["routes:", "- id: a", "  uptsream: b", "  upstream: c"], 4, "  upstream: c"),
        (["routes: [", "  {id: a,", "   upstream: b}", "]"], 3, "   upstream: b}"),
        (["routes:", "  - match:", "      methods:", "      - GET"], 4, "      - GET"),
        (["routes:", "  - match:", "      # why", "", "      methods: [GET,", "        POST]"], 6, "        POST]"),
        (["anything:", "  path: /a"], 2, "  ***: ***"),
        (["set:", "  id: a"], 2, "  id: ***"),
        (["keys:", f"  - {SECRET}"], 2, "  - ***"),
        (["  message: it''s", "  title: 'it''s'"], 2, "  title: 'it''s'"),
        (['  title: "a \\" b"'], 1, '  title: "a \\" b"'),
        (['  title: "a'], 1, "  title: ***"),
        (["# why"], 1, ""),
        (["  id: a # why"], 1, "  id: a"),
        (["  path: /a?page=2"], 1, "  path: ***"),
        (["  url: ${A:-b:1}"], 1, "  url: ${A:-b:1}"),
        ([f"  id: ${{A:-gw_{SECRET * 2}}}"], 1, "  id: ***"),
        (["  url: http://h:1/a b"], 1, "  url: http://***"),
        (["  url: http://h?a@b"], 1, "  url: http://***"),
        (["  url: unix://***@/run/a"], 1, "  url: unix://***@/run/a"),
        (["  address: a:b@c"], 1, "  address: ***"),
        (["  id: 0a1b2c3d4e5f6a7b8c9d"], 1, "  id: ***"),
        (["  token: *a"], 1, "  token: ****"),
        (["? a"], 1, "? ***"),
    ],
)
def test_what_stands_around_a_value_decides_whether_it_is_shown(lines: list[str], number: int, shown: str) -> None:
    assert masked(lines, number, 1)[0] == shown


def test_what_stands_under_a_key_that_is_out_of_sight_is_hidden() -> None:
    lines = ["routes:", "  - id: a", *(f"    # {number}" for number in range(3_000)), "    id: b"]
    assert masked(lines, len(lines), 1)[0] == "    ***: ***"


@pytest.mark.parametrize(
    ("loc", "line", "shown"),
    [
        (("routes", 0, "timout"), "  - {timout: 1s}", ("routes", 0, "timout")),
        (("admin", "a b"), "", ("admin", "***")),
        (("redis", "word"), "redis: {url: redis://:pass, word}", ("redis", "***")),
        (("redis", "word"), "redis: {url: a, 'word' : b}", ("redis", "word")),
        (("admin", "token", "word"), "admin: {token: {word: 1}}", ("admin", "token", "***")),
        (("headers", "set", "X-A"), "", ("headers", "set", "X-A")),
        (("headers", "set", 1, "word"), "", ("headers", "set", 1, "***")),
    ],
)
def test_the_way_to_a_value_holds_no_part_of_a_secret(
    loc: tuple[str | int, ...], line: str, shown: tuple[str | int, ...]
) -> None:
    assert shown_path(loc, line) == shown


def test_a_sentence_does_not_repeat_what_looks_like_a_secret() -> None:
    key = "gw_" + "0Aa" * 10
    assert shown_text(f"`{key}` is not `an id`", [key, "an id", ""]) == "`…` is not `an id`"


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["plans:", "# why", "  - id: gold", "redis:", "  url: redis://redis:6379"], "  url: redis://redis:6379"),
        (["  {url: http://h:1, b}"], "  {url: ***, ***}"),
        (["redis:", "", "  ", "  url: redis://redis:6379"], "  url: redis://redis:6379"),
    ],
)
def test_lines_above_are_read_up_to_the_first_key(lines: list[str], shown: str) -> None:
    assert masked(lines, len(lines), 1)[0] == shown
