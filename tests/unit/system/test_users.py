import os
import pwd

from gateway.system.users import user_name


def test_a_user_has_a_name() -> None:
    assert user_name() == pwd.getpwuid(os.getuid()).pw_name


def test_a_user_without_a_name_has_a_number() -> None:
    assert user_name(54321) == "uid 54321"
