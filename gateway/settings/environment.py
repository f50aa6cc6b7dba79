"""The one place that looks at the environment of this process."""

import os
from collections.abc import Mapping


def process_environment() -> Mapping[str, str]:
    """What `${VAR}` refers to unless somebody says otherwise."""
    return os.environ
