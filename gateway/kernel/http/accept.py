"""Accept and Accept-Encoding (RFC 9110 12.4.2): how much a client wants something."""


def quality(field: str, name: str) -> float:
    """The weight that the field gives `name`, 0.0 to 1.0; 0.0 when it is not named.

    What is not understood counts as 1.0.
    """
    for part in field.split(","):
        token, *parameters = part.split(";")
        if token.strip().lower() == name:
            weights = [
                value for key, _, value in (each.partition("=") for each in parameters) if key.strip().lower() == "q"
            ]
            return _weight(weights[0].strip()) if weights else 1.0
    return 0.0


def _weight(text: str) -> float:
    """A qvalue has at most three digits behind its point."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii() or len(text) > 5:
        return 1.0
    return min(float(text), 1.0)
