"""settings/schema/cors.py: what a route has of its own, and what it inherits."""

from gateway.settings.schema.cors import CorsOverrides, CorsSettings


def test_a_route_overrides_field_by_field() -> None:
    inherited = CorsSettings.model_validate({"origins": ["https://a.example"], "expose": ["X-A"], "credentials": True})
    merged = CorsOverrides.model_validate({"credentials": False, "max_age": "0s"}).over(inherited)
    assert (merged.origins, merged.expose, merged.credentials, merged.max_age) == (
        ("https://a.example",),
        ("X-A",),
        False,
        0.0,
    )


def test_an_empty_list_is_an_override() -> None:
    inherited = CorsSettings.model_validate({"origins": ["*"]})
    assert CorsOverrides.model_validate({"origins": []}).over(inherited).origins == ()
    assert CorsOverrides().over(inherited) == inherited
