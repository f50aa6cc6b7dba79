"""What users of Redis are let do, as the README tells operators to."""

import re

from tests.architecture.tables import DEPLOY


def rights(*purposes: str) -> list[str]:
    """Those of a user that is for `purposes`, as ACL SETUSER takes them."""
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", DEPLOY.read_text(), re.MULTILINE))
    commands = re.findall("`([A-Z ]+)`", " ".join(rows[purpose] for purpose in purposes))
    return ["-@all", *(f"+{command.lower().replace(' ', '|')}" for command in commands)]
