"""The configuration: every key of the YAML file, and reading it with all problems told at once.

`load` goes through the modules in this order: includes (files) > thinning (many keys that are alike) > tree (YAML to
data with places, by way of scalars and interpolate) > schema (what each value may be) > explain (pydantic's words into
ours, prune leaves out what is wrong) > checks, with limits, quotas, listeners (which reads certificates by way of
pairs), overlap and enclosure (what the parts mean together) > problems (how it is told, secrets masked).

`origins` keeps where values came from, `document` makes the JSON Schema, and `records` reads keys that stand in Redis.
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
