"""Reads the weights in Accept and Accept-Encoding (RFC 9110 12.4.2)."""


def quality(field: str, name: str) -> float:
    """Return the weight that the field gives `name`, 0.0 to 1.0; 0.0 when it is not named.

    A malformed weight counts as 1.0.
    """
    return weights(field, field.count(",") + 1).get(name, 0.0)


def weights(field: str, most: int) -> dict[str, float]:
    """Return the weight of each name of the field, in lower case. Names after the first `most` are ignored.

    The first of two equal names counts.
    """
    found: dict[str, float] = {}
    for part in field.split(",", most)[:most]:
        token, *parameters = part.split(";")
        given = [value for key, _, value in (each.partition("=") for each in parameters) if key.strip().lower() == "q"]
        found.setdefault(token.strip().lower(), _weight(given[0].strip()) if given else 1.0)
    return found


def _weight(text: str) -> float:
    """Return a qvalue, which has at most three digits behind its point."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii() or len(text) > 5:
        return 1.0
    return min(float(text), 1.0)
