from gateway.settings import parse
from tests.yaml_files import LEAST, added

CAPTURE = "observability: {capture: {on: [5xx]}}\n"


def test_captures_that_nobody_can_read_are_an_error() -> None:
    text = "of no use: `/captures` asks for the token of the admin listener, and there is none"
    assert added(CAPTURE) == [f"4:17 observability.capture: {text}; add `admin: {{token: …}}`"]
    parse(LEAST + CAPTURE + "admin: {token: sesame-open-the-door}\n", "f", {})
