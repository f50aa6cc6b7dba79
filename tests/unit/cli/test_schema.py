import json

from click.testing import CliRunner

from gateway.cli import main
from gateway.settings import json_schema


def test_it_is_the_schema_of_the_settings() -> None:
    assert json.loads(CliRunner().invoke(main, ["schema"]).stdout) == json_schema()
