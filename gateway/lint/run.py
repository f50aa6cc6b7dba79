"""Finds the warnings of a configuration."""

from collections.abc import Callable

from gateway.lint.limits import check_limits_refuse
from gateway.lint.references import check_references
from gateway.lint.routes import check_routes
from gateway.lint.security import check_security
from gateway.settings.checks.context import CheckContext


def linter(wall_s: float) -> Callable[[CheckContext], None]:
    """Return what adds the warnings to those that loading has found. `wall_s` is the present Unix time."""

    def lint(context: CheckContext) -> None:
        check_references(context, wall_s)
        check_security(context)
        check_limits_refuse(context)
        check_routes(context)

    return lint
