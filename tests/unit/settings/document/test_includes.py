from pathlib import Path

import pytest

from gateway.settings import Config, ConfigError, load
from tests.authority import Authority
from tests.yaml_files import DIGEST, LEAST

ORDERS = """\
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:3001"}]}]
routes: [{id: orders, match: {prefix: /orders}, upstream: orders}]
"""


class Folder:
    """A folder of configuration files; the first one is gateway.yaml."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def load(self, **environ: str) -> Config:
        return load(self.path / "gateway.yaml", environ)

    def complaints(self, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(**environ)
        return [str(problem).replace(f"{self.path}/", "") for problem in caught.value.problems]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_lists_of_other_files_are_added(folder: Folder) -> None:
    folder.write("gateway.yaml", LEAST + 'include: ["conf.d/*.yaml"]\nerrors: {no_route: {code: 5}}\n')
    folder.write("conf.d/b.yaml", "version: 1\n" + ORDERS)
    folder.write(
        "conf.d/a.yaml",
        'errors: {rate_limited: {code: 7}}\nplans: [{id: p, limits: []}]\nadmin: {address: "127.0.0.1:1"}\n',
    )
    folder.write("conf.d/.hidden.yaml", "not: [valid")
    config = folder.load()
    assert [route.id for route in config.routes] == ["all", "orders"]
    assert [upstream.id for upstream in config.upstreams] == ["service", "orders"]
    assert set(config.errors) == {"no_route", "rate_limited"}
    assert config.admin.address.port == 1


def test_files_are_read_once_and_never_the_including_one(folder: Folder) -> None:
    folder.write("gateway.yaml", LEAST + 'include: ["*.yaml", orders.yaml, "./orders.yaml", "**/*.yaml"]\n')
    folder.write("orders.yaml", ORDERS)
    assert len(folder.load().routes) == 2


def test_absolute_patterns_and_links_work(folder: Folder, tmp_path: Path) -> None:
    folder.write("gateway.yaml", LEAST + f'include: ["{tmp_path}/parts/*.yaml"]\n')
    folder.write("data/orders", ORDERS)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/orders.yaml").symlink_to(tmp_path / "data/orders")
    assert len(folder.load().routes) == 2


def test_a_pattern_may_match_nothing_but_a_name_may_not(folder: Folder) -> None:
    folder.write("gateway.yaml", LEAST + 'include: ["conf.d/*.yaml"]\n')
    assert len(folder.load().routes) == 1
    (folder.path / "part").mkdir()
    folder.write("gateway.yaml", LEAST + 'include: [conf.d/a.yaml, "${PART}", part, 5, "a\\0b"]\n')
    assert folder.complaints(PART="s3cr3t") == [
        "gateway.yaml:4:11: error: include[0]: there is no file `conf.d/a.yaml`",
        "gateway.yaml:4:26: error: include[1]: there is no file `…`",
        "gateway.yaml:4:37: error: include[2]: there is no file `part`",
        "gateway.yaml:4:43: error: include[3]: text is wanted here; put it into quotes",
        "gateway.yaml:4:46: error: include[4]: there is no file `a�b`",
    ]


def test_what_stands_in_two_files_is_reported_with_both_positions(folder: Folder) -> None:
    folder.write("gateway.yaml", LEAST + 'include: ["conf.d/*"]\nerrors: {no_route: {code: 5}}\nadmin: {}\n')
    folder.write(
        "conf.d/a.yaml",
        'routes:\n  - {id: all, match: {path: "/{rest*}"}, upstream: service}\nadmin: {}\nerrors: {no_route: {code: 6}}\n'
        "version: 2\ninclude: []\n",
    )
    assert folder.complaints() == [
        "conf.d/a.yaml:2:10: error: routes[1].id: `all` is the id of another one, in gateway.yaml:3",
        "conf.d/a.yaml:2:29: error: routes[1].match.path: route `all` in gateway.yaml:3 takes every request that this one could",
        "conf.d/a.yaml:3:1: error: admin: written twice; the first stands in gateway.yaml:6",
        "conf.d/a.yaml:4:10: error: errors.no_route: written twice; the first stands in gateway.yaml:5",
        "conf.d/a.yaml:5:1: error: version: written twice; the first stands in gateway.yaml:1",
        "conf.d/a.yaml:6:1: error: include: an included file cannot include others",
    ]


def test_a_file_that_cannot_be_read_is_reported_once_and_the_rest_is_still_checked(folder: Folder) -> None:
    folder.write("gateway.yaml", LEAST + 'include: ["conf.d/*"]\nkeys: [{id: k, secret_sha256: x, plan: elsewhere}]\n')
    folder.write("conf.d/a.yaml", "plans: [\n")
    folder.write("conf.d/b.yaml", "routes: 5\n")
    folder.write("conf.d/c.yaml", "- 1\n")
    folder.write("conf.d/d.yaml", "upstreams: [{id: u, targets: [{url: x}]}]\n")
    assert folder.complaints() == [
        "gateway.yaml:5:31: error: keys[0].secret_sha256: a SHA-256 digest is 64 lower-case hexadecimal digits; `gateway keys create` prints one",
        "conf.d/a.yaml:2:1: error: not YAML: did not find expected node content while parsing a flow node that began in line 2",
        "conf.d/b.yaml:1:9: error: routes: a list is wanted in both files",
        "conf.d/c.yaml:1:1: error: a configuration is a mapping; it begins with `version: 1`",
        "conf.d/d.yaml:1:37: error: upstreams[1].targets[0].url: a target's URL begins with `http://` or `https://`",
    ]


def test_keys_stand_in_files_or_in_a_store(folder: Folder) -> None:
    folder.write("gateway.yaml", LEAST + 'include: [a.yaml]\nredis: {url: "redis://a"}\nkeys: {store: redis}\n')
    folder.write("a.yaml", f"keys: [{{id: k, secret_sha256: {DIGEST}}}]\n")
    both = "keys: keys stand in files or in a store, not in both;"
    assert folder.complaints() == [f"a.yaml:1:1: error: {both} gateway.yaml:6 says otherwise"]
    folder.write(
        "gateway.yaml",
        LEAST + f'include: [a.yaml]\nredis: {{url: "redis://a"}}\nkeys: [{{id: k, secret_sha256: {DIGEST}}}]\n',
    )
    folder.write("a.yaml", "keys: {store: redis}\n")
    assert folder.complaints() == [f"a.yaml:1:1: error: {both} gateway.yaml:6 says otherwise"]


def test_paths_are_relative_to_the_file_they_stand_in(folder: Folder, tmp_path: Path) -> None:
    folder.write("gateway.yaml", LEAST + "include: [parts/tls.yaml]\n")
    folder.write(
        "parts/tls.yaml",
        'upstreams: [{id: u, targets: [{url: "https://a"}], tls: {ca: ca.pem}}]\nadmin: {token: "${file:token}"}\n',
    )
    Authority(tmp_path / "parts")  # writes ca.pem
    folder.write("parts/token", "t0ken\n")
    config = folder.load()
    assert config.upstreams[1].tls.ca == str(tmp_path / "parts/ca.pem")
    assert config.admin.token is not None
    assert config.admin.token.get_secret_value() == "t0ken"


def test_values_from_outside_stay_hidden_across_files(folder: Folder) -> None:
    folder.write(
        "gateway.yaml", LEAST + 'include: [a.yaml]\norganizations: [{id: x}]\nerrors: {"no_rout": {code: 5}}\n'
    )
    folder.write("a.yaml", 'organizations: [{id: "${ORG}"}, {id: "${ORG}"}]\nobservability: ${ORG}\n')
    assert folder.complaints(ORG="h1dden") == [
        "gateway.yaml:6:10: error: errors.no_rout: there is no fault of this name; did you mean `no_route`?",
        "a.yaml:1:38: error: organizations[2].id: `…` is the id of another one, in line 1",
        "a.yaml:2:16: error: observability: a mapping is wanted here",
    ]


def test_files_that_cannot_be_read(folder: Folder) -> None:
    folder.write("folder/a.yaml", "")
    for name, message in (
        ("folder", "this is a directory, not a file"),
        ("none.yaml", "cannot be read: No such file or directory"),
        ("a\0b", "this is not the name of a file"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(folder.path / name, {})
        assert [problem.text for problem in caught.value.problems] == [message]


def test_files_that_hold_no_configuration(folder: Folder) -> None:
    folder.write("gateway.yaml", "# nothing\n")
    assert folder.complaints() == [
        "gateway.yaml:1:1: error: nothing is written here; a configuration begins with `version: 1`"
    ]
    (folder.path / "gateway.yaml").write_bytes("version: 1\né: ".encode() + b"\xe9\n")
    assert folder.complaints() == ["gateway.yaml:2:4: error: byte 0xe9 is not UTF-8; save the file as UTF-8"]


def test_top_level_keys_for_anchors_have_no_meaning(folder: Folder) -> None:
    folder.write("gateway.yaml", LEAST + "x-note: &note hello\norganizations: [{id: a, name: *note}]\n")
    assert folder.load().organizations[0].name == "hello"
