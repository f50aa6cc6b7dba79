import pytest

from gateway.kernel.http.accept import quality, weights


@pytest.mark.parametrize(
    ("field", "weight"),
    [
        ("", 0.0),
        ("gzip", 1.0),
        ("br, GZIP ; q=0.5", 0.5),
        ("gzip;q=0", 0.0),
        ("gzip;q=0.000", 0.0),
        ("gzip; level=1; Q=0.2", 0.2),
        ("gzip;q=7", 1.0),
        ("gzip;q=often", 1.0),
        ("gzip;q=0.00000000001", 1.0),
        ("xgzip, *", 0.0),
    ],
)
def test_how_much_something_is_wanted(field: str, weight: float) -> None:
    assert quality(field, "gzip") == weight


def test_the_first_names_of_a_field_have_weights() -> None:
    assert weights("br;q=0.5, GZIP, br;q=0.9,, zstd", 4) == {"br": 0.5, "gzip": 1.0, "": 1.0}
    assert weights("br, *;q=0", 32) == {"br": 1.0, "*": 0.0}
