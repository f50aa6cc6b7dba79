"""The permissions of users of Redis, as the README tells operators to set them."""

import re

from tests.architecture.tables import DEPLOY


def acl_rules(*purposes: str) -> list[str]:
    """The rules of a user for `purposes`, as arguments of ACL SETUSER."""
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", DEPLOY.read_text(), re.MULTILINE))
    commands = re.findall("`([A-Z ]+)`", " ".join(rows[purpose] for purpose in purposes))
    return ["-@all", *(f"+{command.lower().replace(' ', '|')}" for command in commands)]
