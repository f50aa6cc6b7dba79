"""table/path_readings.py: what services may make of a path."""

import pytest

from gateway.table.path_readings import MOST_CHARACTERS, every_reading, fold, is_calm


def read(path: str) -> set[str]:
    """The readings, as paths."""
    found = every_reading(path)
    assert found is not None
    assert len(found) == len(set(found))
    return {"/" + "/".join(segments) for segments in found}


@pytest.mark.parametrize("path", ["/", "/v1/orders", "/v1/a-b_c~d.e", "/v1/a+b"])
def test_most_paths_have_one_reading(path: str) -> None:
    assert is_calm(path)
    assert read(path) == {path}


@pytest.mark.parametrize("path", ["/V1", "/v1/", "/v1//x", "/v1;a", "/v1/%41", "/v1/a.", "/v1./a", "/.a", "/a b", "//"])
def test_others_may_have_several(path: str) -> None:
    assert not is_calm(path)


@pytest.mark.parametrize(
    ("path", "among"),
    [
        ("/V1/Orders", ["/v1/orders"]),
        ("/v1/%61dmin", ["/v1/%61dmin", "/v1/admin"]),
        ("/v1/%2561dmin", ["/v1/%2561dmin", "/v1/%61dmin", "/v1/admin"]),
        ("/v1/%252561DMIN", ["/v1/%2561dmin", "/v1/%61dmin", "/v1/admin"]),
        ("/v1%2Fadmin", ["/v1%2fadmin", "/v1/admin"]),
        ("/v1%5Cadmin", ["/v1\\admin", "/v1/admin"]),
        ("/v1//admin", ["/v1//admin", "/v1/admin"]),
        ("//v1/admin", ["//v1/admin", "/v1/admin", "/admin"]),
        ("/%2Fv1/admin", ["//v1/admin", "/v1/admin", "/admin"]),
        ("/%5C%5Cv1/admin", ["/v1/admin", "/admin"]),
        ("/v1;a=b/admin;c", ["/v1;a=b/admin;c", "/v1/admin"]),
        ("/;/v1/admin", ["//v1/admin", "/v1/admin"]),
        ("/v1%3Ba/admin", ["/v1;a/admin", "/v1/admin"]),
        ("/v1/admin%3Fa", ["/v1/admin?a", "/v1/admin"]),
        ("/v1/admin%23a", ["/v1/admin"]),
        ("/v1/admin./", ["/v1/admin./", "/v1/admin/"]),
        ("/v1%20/%20admin%20.", ["/v1 / admin .", "/v1/admin"]),
        ("/v1/admin.%3Fa", ["/v1/admin"]),
        ("/v1/%EF%BD%81dmin", ["/v1/admin"]),
        ("/v1%EF%BC%8Fadmin", ["/v1/admin", "/v1\\admin"]),
        ("/v1/%E1%B4%AC", ["/v1/a"]),
        ("/v1/%EF%BC%8561dmin", ["/v1/%61dmin", "/v1/admin"]),
        ("/%E2%84%80", ["/a/c"]),
        ("/%25u0076%31/%25u0061dmin", ["/%u00761/%u0061dmin", "/v1/admin"]),
        ("/v1/caf%E9", ["/v1/cafe", "/v1/caf"]),
        ("/v1/caf%C3%89", ["/v1/cafe"]),
        ("/v1/ad%C2%ADmin", ["/v1/admin"]),
        ("/v1/%E2%80%8B/x", ["/v1/\ufffc/x", "/v1/x"]),
        ("/v1%FF/admin", ["/v1/admin"]),
        ("/v1%3B/%5Cadmin.%20", ["/v1/admin"]),
        ("/v%C2%B9%252F%2541dmin", ["/v1/admin"]),
    ],
)
def test_habits_and_their_combinations(path: str, among: list[str]) -> None:
    assert set(among) <= read(path)


@pytest.mark.parametrize(
    "path",
    [
        "/x/%EF%BC%8E%EF%BC%8E/v1",
        "/x/%E3%80%82%E3%80%82/v1",
        "/x/..%20/v1",
        "/x/%20../v1",
        "/a%3B%5C%2F%3F.%20/%253B%255C%252F%253F.%20//x",
        "/" + "%41" * MOST_CHARACTERS,
        "/" + "a;b/" * MOST_CHARACTERS,
    ],
)
def test_what_is_too_doubtful_to_compare(path: str) -> None:
    assert every_reading(path) is None


def test_a_long_path_with_one_reading_is_compared() -> None:
    assert every_reading("/" + "A" * 4 * MOST_CHARACTERS) == [("a" * 4 * MOST_CHARACTERS,)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("V1", "v1"),
        ("STRASSE", "straße"),
        ("\u017f", "s"),
        ("\u212a", "k"),
        ("\u0131", "i"),
        ("İ", "I"),
        ("é", "e"),
        ("\uff11", "1"),
        ("a\u200bb", "ab"),
        ("。", "."),
    ],
)
def test_folding(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_folding_keeps_different_letters_apart() -> None:
    assert len({fold(letter) for letter in "abcдж中"}) == 6
