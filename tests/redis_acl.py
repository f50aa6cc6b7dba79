"""What users of Redis are let do, as the README tells operators to."""

import re

from tests.architecture.tables import DEPLOY


def acl_rules(*purposes: str) -> list[str]:
    """The rules of a user for `purposes`, as arguments of ACL SETUSER."""
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", DEPLOY.read_text(), re.MULTILINE))
    commands = re.findall("`([A-Z ]+)`", " ".join(rows[purpose] for purpose in purposes))
    return ["-@all", *(f"+{command.lower().replace(' ', '|')}" for command in commands)]
