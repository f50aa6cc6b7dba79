"""Which usage is asked for: by the command line and by the admin listener, in the same words."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Literal, TypeAlias, get_args

import msgspec

Dimension: TypeAlias = Literal["day", "organization", "key", "route"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
MOST_DAYS = 3660
PARAMETERS = ("by", "month", "from", "to", "organization", "key", "route")


class UsageQuery(msgspec.Struct, frozen=True):
    """The days from `first` to `last`, grouped `by` dimensions. Of filters None stands for all, "" for none known."""

    first: date
    last: date
    by: tuple[Dimension, ...]
    organization: str | None = None
    key: str | None = None
    route: str | None = None

    @property
    def days(self) -> Iterator[date]:
        """Yield the days, in order."""
        return (self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))


def usage_query(parameters: Mapping[str, str], today: date, most_days: int = MOST_DAYS) -> UsageQuery:
    """Return the query that `parameters`, by the names of PARAMETERS, ask for. Without a period it is this month.

    It is about `most_days` days at most. Raises ValueError with a text for whoever asks.
    """
    for name in parameters:
        if name not in PARAMETERS:
            raise ValueError(f"there is no parameter `{name[:40]}`; there are {', '.join(PARAMETERS)}")
    first, last = _period(parameters, today)
    if (last - first).days >= most_days:
        raise ValueError(f"a period has {most_days} days at most")
    filters = {name: parameters[name] for name in ("organization", "key", "route") if name in parameters}
    return UsageQuery(first, last, _dimensions(parameters.get("by", "organization")), **filters)


def _dimensions(text: str) -> tuple[Dimension, ...]:
    wanted = text.split(",")
    found = tuple([dimension for name in wanted for dimension in DIMENSIONS if dimension == name])
    if len(found) != len(wanted) or len({*found}) != len(found):
        raise ValueError(f"`by` is one or several of {', '.join(DIMENSIONS)}, with commas between them")
    return found


def _period(parameters: Mapping[str, str], today: date) -> tuple[date, date]:
    month, first, last = (parameters.get(name) for name in ("month", "from", "to"))
    if month is not None and (first is not None or last is not None):
        raise ValueError("say either `month`, or `from` and `to`")
    if first is None and last is None:
        begins = _day(f"{month}-01", "month", "2026-11") if month is not None else today.replace(day=1)
        return begins, begins.replace(day=monthrange(begins.year, begins.month)[1])
    if first is None:
        raise ValueError("`to` needs a `from`")
    begins = _day(first, "from", "2026-11-01")
    ends = today if last is None else _day(last, "to", "2026-11-30")
    if ends < begins:
        raise ValueError("the period ends before it begins")
    return begins, ends


def _day(text: str, name: str, example: str) -> date:
    try:
        year, month, day = [int(part) if part.isdecimal() else 0 for part in text.split("-")]
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"`{name}` is written like {example}") from None
