"""kernel/errors/words.py: the many spellings of one word."""

import pytest

from gateway.kernel.errors import words as errorwords
from gateway.kernel.errors.words import word


@pytest.mark.parametrize(
    "name",
    [
        "errorMessage",
        "error_message",
        "ErrorMessage",
        "error-message",
        "error.message",
        "s:errorMessage",
        "@errorMessage",
        "odata.errorMessage",
    ],
)
def test_one_word(name: str) -> None:
    assert word(name) == "errormessage"
    assert word(name) in errorwords.TEXTS


def test_long_names_are_no_words() -> None:
    assert word("x" * 100_000) == ""


def test_the_words_are_words() -> None:
    tables = [
        table
        for name, table in vars(errorwords).items()
        if name.isupper() and name != "WHOLE" and isinstance(table, tuple | frozenset)
    ]
    assert [name for table in tables for name in table if word(name) != name] == []
