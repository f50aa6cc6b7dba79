"""settings/document/key_folding.py: what is read by likeness is what a parser reads."""

from hashlib import sha256
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.settings import Config, ConfigError, load, parse
from gateway.settings.document.key_folding import WORTH_ENTRIES, Alike, thin, with_alike
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.key_list import KeyList, Rows
from tests.yaml_files import LEAST

ORGANIZATIONS = "organizations: [{id: acme}, {id: initech}]\n"


def digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def flow(name: str, more: str = "") -> str:
    return f"  - {{id: {name}, secret_sha256: {digest(name)}{more}}}\n"


def block(name: str, more: str = "") -> str:
    return f"  - id: {name}\n    secret_sha256: {digest(name)}\n{more}"


def dumped(name: str, more: str = "") -> str:
    """As yaml.dump writes it."""
    return f"- id: {name}\n  organizations:\n  - acme\n  secret_sha256: {digest(name)}\n{more}"


def read(text: str) -> tuple[Config, list[Alike]] | None:
    """What a text amounts to when it is thinned; None if it has to be read whole."""
    groups: list[Alike] = []
    config = parse(thin(text, groups, worth=1))
    keys = with_alike(config.keys, groups)
    return None if keys is None else (config.model_copy(update={"keys": keys}), groups)


def reported(config: Config) -> list[KeySettings]:
    return sorted(config.keys, key=lambda key: key.id)


@pytest.mark.parametrize("entry", [flow, block, dumped], ids=["flow", "block", "dumped"])
def test_entries_that_are_alike_are_read_once(entry: object) -> None:
    assert callable(entry)
    text = LEAST + ORGANIZATIONS + "keys:\n" + "".join(entry(f"k{number}") for number in range(20)) + "plans: []\n"
    found = read(text)
    assert found is not None
    config, (group,) = found
    assert reported(config) == reported(parse(text))
    assert (len(group.first), len(group.rows)) == (1, 19)
    assert config.keys.find(bytes.fromhex(digest("k7"))) == next(key for key in config.keys if key.id == "k7")
    assert config.keys.find(bytes(32)) is None


def test_each_line_stays_where_it_was() -> None:
    entries = [block(f"k{number}", "    # one more\n\n" if number % 3 else "") for number in range(9)]
    text = "keys: # of all\n\n  # first\n" + "".join(entries) + LEAST
    thinned = thin(text, [], worth=1)
    assert [(line, at) for at, line in enumerate(thinned.split("\n")) if line and line[0] != " "] == [
        (line, at) for at, line in enumerate(text.split("\n")) if line and line[0] != " "
    ]


def test_few_entries_are_read_as_they_are() -> None:
    text = LEAST + "keys:\n" + "".join(flow(f"k{number}") for number in range(WORTH_ENTRIES - 1))
    assert thin(text, []) is text
    assert thin(text + flow("k"), []) != text


@pytest.mark.parametrize(
    "text",
    [
        LEAST,
        "keys: []\n",
        "keys:\n  # none\n",
        "keys:\n" + flow("a").replace("id:", "id: &a") + flow("b"),
        "keys:\n" + flow("a") + flow("b", ", plan: gänzlich"),
        "keys:\r\n" + flow("a").replace("\n", "\r\n") + flow("b"),
    ],
    ids=["no keys", "no entries", "no entry", "anchors", "not ASCII", "other line ends"],
)
def test_what_could_mean_something_else_is_left_alone(text: str) -> None:
    groups: list[Alike] = []
    assert thin(text, groups, worth=1) == text
    assert not groups


def test_an_id_that_is_a_word_of_yaml_and_a_digest_that_is_a_number_stay() -> None:
    number = "1" * 30 + "e" + "2" * 33
    text = (
        "keys:\n"
        + flow("a")
        + flow("True")
        + flow("b").replace(digest("b"), number)
        + flow("c").replace(digest("c"), "3" * 64)
    )
    assert thin(text, [], worth=1) == text


@pytest.mark.parametrize(
    "section",
    [
        'unused: "\nkeys:\n' + flow("a") + flow("b") + '"\n',
        "keys:\n"
        + "".join(f"  - {{name: 'id: {name}', id: x{name}, secret_sha256: {digest(name)}}}\n" for name in "ab"),
        "keys:\n" + "".join(f"  - {{id: {name}, secret_sha256: {digest(name)} b}}\n" for name in "ab"),
        "keys:\n" + flow("a") + flow("b") + flow("a"),
        "keys:\n" + flow("a") + flow("b") + flow("c").replace(digest("c"), digest("b")),
        "keys:\n" + flow("a") + flow("b") + "  - {id: b, secret_sha256: " + digest("c") + ", plan: standard}\n",
    ],
    ids=["inside a text", "not the id", "not the digest", "the same id", "the same digest", "the same id, unlike"],
)
def test_what_is_not_what_it_seemed_is_read_whole(section: str) -> None:
    try:
        assert read(LEAST + section) is None
    except ConfigError:
        with pytest.raises(ConfigError):
            parse(LEAST + section)


def test_keys_that_are_alike_down_to_the_certificate_are_read_whole() -> None:
    """All of them but one are mistakes."""
    for subject, whole in (("CN=one", True), (None, False)):
        first = KeySettings.model_validate(
            {"id": "a", "secret_sha256": digest("a")} | ({"certificate_subject": subject} if subject else {})
        )
        groups: list[Alike] = []
        thin(
            "keys:\n" + "".join(flow(name, f", certificate_subject: {subject}" if subject else "") for name in "abc"),
            groups,
            worth=1,
        )
        assert (with_alike(KeyList([first]), groups) is None) == whole


def test_all_problems_are_reported_where_they_are(tmp_path: Path) -> None:
    """One stands in an entry that is like another."""
    file = tmp_path / "gateway.yaml"
    lines = LEAST + "keys:\n" + "".join(flow(f"k{number}", ", plan: gold") for number in range(WORTH_ENTRIES))
    file.write_text(lines)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [problem.line for problem in caught.value.problems] == list(range(5, 5 + WORTH_ENTRIES))
    file.write_text(lines.replace(", plan: gold", "") + flow("k3"))
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [problem.line for problem in caught.value.problems] == [5 + WORTH_ENTRIES] * 2


def test_a_file_with_many_keys_is_read_whichever_file_they_stand_in(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(LEAST + 'include: ["keys-*.yaml"]\nkeys:\n' + flow("one"))
    for letter in "ab":
        (tmp_path / f"keys-{letter}.yaml").write_text(
            "keys:\n" + "".join(block(f"{letter}{number}") for number in range(WORTH_ENTRIES))
        )
    config = load(tmp_path / "gateway.yaml")
    assert (len(config.keys), len(config.keys.plain)) == (1 + 2 * WORTH_ENTRIES, 3)
    assert {key.id for key in config.keys} == {
        "one",
        *(f"{letter}{number}" for letter in "ab" for number in range(WORTH_ENTRIES)),
    }
    (tmp_path / "keys-c.yaml").write_text("keys:\n" + "".join(block(f"b{number}") for number in range(WORTH_ENTRIES)))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "gateway.yaml")
    assert len(caught.value.problems) == 2 * WORTH_ENTRIES


names = st.sampled_from(
    ["a", "b", "c", "d-1", "e.2", "true", "null", "No", "x:y", "7", "1e5", '"q"', "'r'", '"7"', "a b", "${A}", "z:"]
)
more = st.sampled_from(
    [
        "",
        ", plan: standard",
        ", plan: gold",
        ", organizations: [acme]",
        ", disabled: true",
        ", id: twice",
        ", routes: ['*']",
        " # more",
        " }",
    ]
)
lines = st.sampled_from(
    [
        "",
        "    plan: standard\n",
        "    organizations: [acme, initech]\n",
        "    organizations:\n    - acme\n",
        "\n  # no id: k\n",
    ]
)
entries = st.lists(st.one_of(st.builds(flow, names, more), st.builds(block, names, lines)), min_size=1, max_size=12)


@given(entries)
def test_a_text_means_what_the_parser_makes_of_it(section: list[str]) -> None:
    text = LEAST + ORGANIZATIONS + "keys:\n" + "".join(section)
    try:
        expected: Config | None = parse(text)
    except ConfigError:
        expected = None
    try:
        found = read(text)
    except ConfigError:
        found = None
    if found is not None:
        assert expected is not None
        assert reported(found[0]) == reported(expected)


def test_keys_that_were_not_found_are_not_completed() -> None:
    group = Alike([(digest("a"), "a")], Rows([digest("b")], ["b"], [0]), distinct=True)
    assert with_alike(KeyList([]), [group]) is None
    known = KeyList([KeySettings(id="a", secret_sha256=digest("a"))])
    found = with_alike(known, [group])
    assert found is not None
    assert [key.id for key in found] == ["a", "b"]
