"""kernel/http/entity_tags.py: tags that were weakened come back to the service as they were."""

import pytest

from gateway.kernel.http.entity_tags import EntityTags


def test_there_and_back() -> None:
    tags = EntityTags()
    assert [tags.weakened(tag) for tag in ('W/"own"', '"a"', "bare")] == ['W/"own"', 'W/"a"', "W/bare"]
    assert tags.restored(b'W/"a"') == b'"a"'
    assert tags.restored(b'W/"own"') == b'W/"own"'
    assert tags.restored(b'W/"own" , W/"a","b", W/bare') == b'W/"own" , "a","b", bare'


@pytest.mark.parametrize("value", [b"*", b"", b'"xW/", "y"', b'W/"', b"\xff", b'"a"'])
def test_what_is_no_weak_tag_stays(value: bytes) -> None:
    assert EntityTags().restored(value) == value


def test_what_nobody_remembers_is_as_the_last_one() -> None:
    tags = EntityTags()
    assert tags.restored(b'W/"x"') == b'"x"'
    tags.weakened('W/"own"')
    assert tags.restored(b'W/"x"') == b'W/"x"'
    tags.weakened('"strong"')
    assert tags.restored(b'W/"x"') == b'"x"'


def test_not_without_bound() -> None:
    tags = EntityTags()
    for number in range(5000):
        tags.weakened(f'W/"{number}"')
    tags.weakened('"strong"')
    assert tags.restored(b'W/"4999", W/"0"') == b'W/"4999", "0"'
