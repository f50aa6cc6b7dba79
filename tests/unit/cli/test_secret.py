import hashlib
import re
import zlib

from gateway.cli import secret


def test_a_secret_is_recognisable() -> None:
    assert re.fullmatch("gw_[0-9A-Za-z]{38}", secret.create())


def test_no_two_secrets_are_alike() -> None:
    assert len({secret.create() for _ in range(1000)}) == 1000


def test_the_checksum_is_the_crc_of_the_random_part() -> None:
    made = secret.create()
    value = 0
    for character in made[-6:]:
        value = value * 62 + secret.ALPHABET.index(character)
    assert value == zlib.crc32(made[3:-6].encode())


def test_a_small_checksum_keeps_its_length() -> None:
    assert secret.checksum("") == "000000"


def test_the_digest_is_that_of_the_whole_secret() -> None:
    assert secret.digest("gw_x") == hashlib.sha256(b"gw_x").hexdigest()
