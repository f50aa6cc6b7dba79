import json

from gateway.settings.problems import ConfigError, Problem, as_commands, as_data, as_text
from gateway.settings.rules import RULES

MISSPELT = Problem(
    "conf.d/a.yaml", 3, 5, "routes[0].upstreem", "unknown key", "did you mean `upstream`?", "    upstreem: x", 5
)
MISSING = Problem("gateway.yaml", 0, 0, "", "cannot be read: No such file or directory")


def test_people_see_the_line_and_a_caret() -> None:
    assert ConfigError([MISSING, MISSPELT]).text() == (
        "gateway.yaml: error: cannot be read: No such file or directory\n"
        "conf.d/a.yaml:3:5: error: routes[0].upstreem: unknown key; did you mean `upstream`?\n"
        "    3 |     upstreem: x\n"
        "      |     ^"
    )


def test_the_error_itself_states_the_same() -> None:
    error = ConfigError([MISSPELT])
    assert str(error) == error.text()
    assert error.problems == (MISSPELT,)
    assert error.args == ("1 problem in the configuration",)
    assert ConfigError([MISSING, MISSPELT]).args == ("2 problems in the configuration",)


def test_terminals_get_colours_around_the_same_text() -> None:
    text = ConfigError([MISSPELT]).text(color=True)
    assert "\x1b[1;31merror:\x1b[0m routes[0].upstreem" in text
    for code in ("\x1b[1m", "\x1b[1;31m", "\x1b[1;32m", "\x1b[0m"):
        text = text.replace(code, "")
    assert text == ConfigError([MISSPELT]).text()


def test_a_warning_states_that_it_is_one() -> None:
    doubtful = Problem("f", 1, 2, "routes", "surprising", severity="warning")
    assert as_text([doubtful]) == "f:1:2: warning: routes: surprising"
    assert as_text([doubtful], color=True) == "\x1b[1mf:1:2:\x1b[0m \x1b[1;35mwarning:\x1b[0m routes: surprising"
    assert as_commands([doubtful]) == "::warning file=f,line=1,col=2,title=gateway configuration::routes: surprising"
    assert as_data([doubtful]) == [
        {"file": "f", "line": 1, "column": 2, "path": "routes", "text": "surprising", "hint": ""}
    ]


def test_a_tab_before_the_caret_stays_a_tab() -> None:
    assert ConfigError([Problem("f", 1, 3, "", "x", "", "\ta: b", 3)]).text().endswith("| \t ^")


def test_programs_get_json() -> None:
    assert json.loads(ConfigError([MISSPELT]).json()) == {
        "problems": [
            {
                "file": "conf.d/a.yaml",
                "line": 3,
                "column": 5,
                "path": "routes[0].upstreem",
                "text": "unknown key",
                "hint": "did you mean `upstream`?",
            }
        ]
    }


def test_github_gets_workflow_commands() -> None:
    awkward = Problem("a,b:c%.yaml", 2, 1, "", "one\ntwo\r100%")
    assert ConfigError([MISSPELT, awkward, MISSING]).github().split("\n") == [
        "::error file=conf.d/a.yaml,line=3,col=5,title=gateway configuration::routes[0].upstreem: unknown key; did you mean `upstream`?",
        "::error file=a%2Cb%3Ac%25.yaml,line=2,col=1,title=gateway configuration::one%0Atwo%0D100%25",
        "::error file=gateway.yaml,line=1,col=1,title=gateway configuration::cannot be read: No such file or directory",
    ]


def test_programs_get_the_rule_of_a_warning() -> None:
    warning = Problem("f", 1, 2, "routes", "no route leads to it", severity="warning", rule="W001")
    rule = RULES["W001"]
    expected = {"rule": "W001", "name": rule.name, "severity": rule.severity}
    assert {name: as_data([warning])[0][name] for name in expected} == expected
