"""stages/prepare.py: header lines that come again."""

from gateway.kernel.http.request_fields import RequestLine
from tests.samples import exchange, known_lines, route
from tests.unit.stages.test_prepare import SECRET, call


async def test_lines_that_come_again_are_forwarded_alike() -> None:
    headers = known_lines(
        ("Accept", "*/*"),
        ("Host", "api.example.com"),
        ("X-Api-Key", SECRET),
        ("X-Note", "a"),
        ("Cookie", f"k={SECRET}"),
        ("X-More", "b"),
    )
    to, made = route(), []
    for _ in range(2):
        x = exchange(headers=headers)
        x.header_keys = [SECRET]
        made.append(b"".join((await call(x, to)).head))
    assert made[0] == made[1]
    assert made[0].startswith(b"Accept: */*\r\nX-Note: a\r\nX-More: b\r\n")
    assert SECRET.encode() not in made[0]
    assert headers.facts is not None
    assert headers.facts.form.filter is to.request_filter


async def test_lines_in_one_stretch_are_forwarded_alike() -> None:
    headers = known_lines(("Host", "api.example.com"), ("Accept", "*/*"), ("X-Note", "a"))
    to = route()
    first, second = [b"".join((await call(exchange(headers=headers), to)).head) for _ in range(2)]
    assert first == second
    assert first.startswith(b"Accept: */*\r\nX-Note: a\r\n")


async def test_the_path_at_a_service_is_kept_with_the_line_of_its_route() -> None:
    line = RequestLine("GET", "/v1/orders/7", "", remembered=True)
    matched, other = route(strip_segments=1, base="/api"), route()
    line.route = matched
    for to, target in ((matched, b"/api/orders/7"), (other, b"/v1/orders/7")):
        for _ in range(2):
            assert (await call(exchange(path=line.path, line=line), to)).path == target
            assert line.target == b"/api/orders/7"
    asked = exchange(path=line.path, query="page=2", line=line)
    assert (await call(asked, matched)).path == b"/api/orders/7?page=2"
    assert line.target == b"/api/orders/7"
    assert (await call(exchange(path="/v1/orders/8"), other)).path == b"/v1/orders/8"


async def test_what_depends_on_the_request_is_not_remembered_with_its_lines() -> None:
    conditional = known_lines(("Host", "api.example.com"), ("If-None-Match", 'W/"a"'))
    await call(exchange(headers=conditional))
    withheld = known_lines(("Host", "api.example.com"), ("X-A", "b"))
    await call(exchange(headers=withheld, withheld=frozenset({b"x-a"})))
    in_query = known_lines(("Host", "api.example.com"), ("X-A", "b"))
    x = exchange(headers=in_query)
    x.query_keys = [SECRET]
    await call(x)
    assert [each.facts and each.facts.form.filter for each in (conditional, withheld, in_query)] == [None, None, None]
