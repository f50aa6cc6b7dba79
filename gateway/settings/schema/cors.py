"""`cors`: which pages in browsers may call."""

from pydantic import Field

from gateway.settings.schema.types import Duration, HeaderName, Many, Method, PageOrigin, Section, default


class CorsSettings(Section):
    """Which pages in browsers may call, and what of replies they may read (CORS)."""

    origins: Many[PageOrigin] = Field(
        default=(),
        description="Where the pages come from: `https://app.example.com`, `https://*.example.com`, or `*` for all. "
        "Left out, or `[]`: no CORS.",
    )
    methods: Many[Method] | None = Field(default=None, description="Left out: those of the route.")
    headers: Many[HeaderName] = default(
        ["Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID"],
        "Header fields that pages may send, besides those of key and organisation.",
    )
    expose: Many[HeaderName] = Field(
        default=(),
        description="Header fields that pages may read, besides the request id, `X-RateLimit-*`, `RateLimit`, "
        "`RateLimit-Policy`, `Retry-After` and `Proxy-Status`.",
    )
    credentials: bool = Field(
        default=False, description="Whether browsers send cookies and certificates. Not together with `*`."
    )
    max_age: Duration = default("10m", "How long a browser remembers the reply to a preflight.")


class CorsOverrides(Section):
    """What differs from `defaults.cors`."""

    origins: Many[PageOrigin] | None = Field(
        default=None, description="See `defaults.cors.origins`. `[]`: no CORS here."
    )
    methods: Many[Method] | None = Field(default=None, description="See `defaults.cors.methods`.")
    headers: Many[HeaderName] | None = Field(default=None, description="See `defaults.cors.headers`.")
    expose: Many[HeaderName] | None = Field(default=None, description="See `defaults.cors.expose`.")
    credentials: bool | None = Field(default=None, description="See `defaults.cors.credentials`.")
    max_age: Duration | None = Field(default=None, description="See `defaults.cors.max_age`.")

    def over(self, inherited: CorsSettings) -> CorsSettings:
        """Return these settings, and those of `inherited` that are left out here."""
        own = {name: value for name, value in self if value is not None}
        return inherited.model_copy(update=own)
