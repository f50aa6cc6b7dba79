import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin


def check(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["healthcheck", *arguments])


def test_ready_is_0() -> None:
    with admin(200, b"") as (address, asked):
        done = check("--url", address)
    assert (done.exit_code, done.stdout, asked) == (0, "ready\n", [("/readyz", None)])


def test_it_may_be_quiet() -> None:
    with admin(200, b"") as (address, _):
        done = check("--url", address, "-q")
    assert (done.exit_code, done.output) == (0, "")


def test_draining_is_1() -> None:
    with admin(503, b"") as (address, _):
        done = check("--url", address)
    assert done.exit_code == 1
    assert f"the gateway at {address} is not ready: it answers 503" in done.stderr


def test_a_name_that_the_gateway_does_not_know_is_not_called_unready() -> None:
    with admin(421, b'{"error": "write it into admin.hosts"}') as (address, _):
        done = check("--url", address)
    assert (done.exit_code, done.stderr) == (1, "write it into admin.hosts\n")


def test_a_url_may_name_another_path() -> None:
    with admin(200, b"") as (address, asked):
        assert check("--url", f"http://{address}/healthz").exit_code == 0
    assert asked == [("/healthz", None)]


def test_the_address_comes_from_the_environment() -> None:
    with admin(200, b"") as (address, asked):
        assert check(GATEWAY_ADMIN=address).exit_code == 0
    assert asked == [("/readyz", None)]


def test_nobody_there_is_1() -> None:
    with admin(200, b"") as (address, _):
        pass
    done = check("--url", address)
    assert done.exit_code == 1
    assert (
        f"no gateway answers at {address}: Connection refused; say with --url where its admin listener is"
        in done.stderr
    )


@pytest.mark.parametrize("url", ["https://127.0.0.1:9901", "127.0.0.1:none", "http://", "ftp://x"])
def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    done = check("--url", url)
    assert done.exit_code == 2
    assert "write host:port" in done.stderr
