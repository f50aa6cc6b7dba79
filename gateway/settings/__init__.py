"""The configuration: the schema of the YAML file, and a reader that reports all problems in one run.

`load` uses the modules in this order:

    document/   includes (files), key_folding (many similar keys), reader (YAML into data with positions; scalars and
                interpolate read single values)
    schema/     the keys of the file and the rules for their values
    checks/     pydantic_errors (translates errors of the schema), prune (removes invalid values), semantics with
                limits, quotas, listeners, route_conflicts and open_routes (checks the parts against one another)
    problems    formats the problems; problem_list collects them, masking hides secrets in source lines

`origins` records where values came from, `json_schema` makes the JSON Schema, and `checks/stored_keys` reads keys that
are stored in Redis.
"""

from gateway.settings.json_schema import json_schema, json_schema_text
from gateway.settings.load import from_upstream, load, load_with_origins, load_with_warnings, parse
from gateway.settings.problems import ConfigError, Problem, as_commands, as_data, as_text
from gateway.settings.schema.config import Config

__all__ = [
    "Config",
    "ConfigError",
    "Problem",
    "as_commands",
    "as_data",
    "as_text",
    "from_upstream",
    "json_schema",
    "json_schema_text",
    "load",
    "load_with_origins",
    "load_with_warnings",
    "parse",
]
