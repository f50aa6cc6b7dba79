"""settings/checks/traffic.py: policies of upstreams that contradict the rest of them."""

import pytest

from tests.yaml_files import complaints


def upstream(text: str) -> list[str]:
    return complaints(
        f"version: 1\nupstreams:\n- {{id: u, targets: [{{url: 'http://a'}}], {text}}}\n"
        "routes: [{id: r, match: {prefix: /}, upstream: u}]\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "retry: {per_try: 31s}",
            "3:58 upstreams[0].retry.per_try: of no use: it is longer than `timeouts.total`",
        ),
    ],
)
def test_upstreams_are_consistent(text: str, message: str) -> None:
    assert upstream(text) == [message]
