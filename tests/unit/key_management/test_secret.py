import hashlib
import re

from gateway.kernel.key_format import is_misspelt
from gateway.key_management import secret


def test_a_secret_is_recognisable() -> None:
    made = secret.create()
    assert re.fullmatch("gw_[0-9A-Za-z]{38}", made)
    assert not is_misspelt(made)
    assert is_misspelt(made[:-1] + ("0" if made[-1] != "0" else "1"))


def test_no_two_secrets_are_alike() -> None:
    assert len({secret.create() for _ in range(1000)}) == 1000


def test_the_digest_is_that_of_the_whole_secret() -> None:
    assert secret.digest("gw_x") == hashlib.sha256(b"gw_x").hexdigest()
