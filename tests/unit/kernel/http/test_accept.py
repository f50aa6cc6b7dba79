import pytest

from gateway.kernel.http.accept import quality


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
