"""dry_run/rivals.py: why a route has won, and why others have not."""

import pytest

from gateway.dry_run.request import DryRequest
from gateway.dry_run.rivals import rivals_of, shown_pattern, why_won
from gateway.settings import parse
from tests.dry_runs import CONFIG, TEXT, dry_run


async def reported(method: str, target: str, text: str = TEXT) -> tuple[str | None, list[tuple[str, str, str]]]:
    """The reason of the winner, and the rivals with their causes and reasons."""
    result = await dry_run(CONFIG if text is TEXT else parse(text)).run(
        DryRequest(method=method, target=target, key_id="acme-ci")
    )
    x, table = result.x, result.table
    found = rivals_of(table, x.route, method, x.path)
    why = None if x.route is None else why_won(table, x.route, method, x.path)
    return why, [(each.route, each.lost_because, each.why) for each in found]


async def test_the_most_specific_route_wins() -> None:
    assert await reported("GET", "/v1/pets/mine") == (
        "it is the most specific of the routes for this path that serve GET",
        [
            (
                "pets.item",
                "less_specific",
                "at segment 3 it has the parameter {id}, where route pets.mine has the literal `mine`",
            ),
            ("rest", "less_specific", "at segment 2 it has any rest, where route pets.mine has the literal `pets`"),
        ],
    )
    why, found = await reported("GET", "/v1/files/a")
    assert why == "it is the most specific of the routes for this path that serve GET"
    assert found == [
        ("rest", "less_specific", "at segment 2 it has any rest, where route files has the literal `files`")
    ]


async def test_a_route_may_be_the_only_one() -> None:
    assert await reported("GET", "/status") == ("it is the only route for this path", [])
    text = TEXT.replace(
        "- {id: rest, match: {prefix: /v1}, upstream", "- {id: rest, match: {prefix: /v1, methods: [PUT]}, upstream"
    )
    why, found = await reported("GET", "/v1/pets", text)
    assert why == "it is the only route for this path that serves GET"
    assert found == [("rest", "without_method", "it serves PUT and not GET")]


async def test_a_refused_path_has_the_routes_of_its_readings() -> None:
    why, found = await reported("PUT", "/v1/pets/mine")
    assert why == "it is the most specific of the routes for this path that serve PUT"
    assert found[0] == ("pets.mine", "without_method", "it serves GET, HEAD and not PUT")
    why, found = await reported("GET", "/v1/PETS/7")
    assert why is None
    assert [(name, lost_because) for name, lost_because, _ in found] == [
        ("rest", "read_otherwise"),
        ("pets.item", "read_otherwise"),
    ]
    assert await reported("GET", "/v1/" + "%252525" * 400) == (
        None,
        [
            (
                "rest",
                "read_otherwise",
                "it has the method, but a more specific route, or a route of another reading of the path, asks for more",
            )
        ],
    )
    assert await reported("GET", "/nothing") == (None, [])
    assert await reported("GET", "/v1/../x") == (None, [])


@pytest.mark.parametrize(("number", "pattern"), [(0, "/v1/pets"), (3, "/v1/**"), (4, "/v1/files/{name*}")])
async def test_a_prefix_is_shown_with_stars(number: int, pattern: str) -> None:
    assert shown_pattern(dry_run().compiled.table.routes[number]) == pattern
