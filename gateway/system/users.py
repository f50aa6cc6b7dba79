"""The user that this program runs as."""

import os
import pwd


def user_name(uid: int | None = None) -> str:
    """Return its name, or its number where it has none, as in a container; with `uid` that of another user."""
    uid = os.getuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
