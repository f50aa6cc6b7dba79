"""`maintenance` of a route and in `defaults`: calls are answered 503 for a while."""

from pydantic import Field

from gateway.settings.schema.types import Instant, PositiveDuration, Section

DEFAULT_MESSAGE, LONGEST_MESSAGE = "Under maintenance", 256


class MaintenanceSettings(Section):
    """Calls are answered 503 with `Retry-After`, before a key is asked for, and cost nothing."""

    message: str = Field(
        default=DEFAULT_MESSAGE,
        min_length=1,
        max_length=LONGEST_MESSAGE,
        description="The envelope's `message`, for the caller's user.",
    )
    retry_after: PositiveDuration | None = Field(
        default=None, description="`Retry-After`. Left out: the time until `until`, or a minute."
    )
    until: Instant | None = Field(default=None, description="When it ends by itself. Left out: it does not.")
