"""kernel/faults.py: what the rows of the catalogue say, and an error that is stored."""

import msgspec
import pytest

from gateway.kernel.faults import CATALOGUE, KEY_UNKNOWN, UPSTREAM_RESET, GatewayError, refusal

NOT_SENT = {
    "upstream_refused",
    "upstream_unreachable",
    "upstream_name_unresolved",
    "upstream_tls_failed",
    "upstream_connect_timeout",
    "upstream_saturated",
    "upstream_share_spent",
    "upstream_circuit_open",
}
"""Faults of an upstream after which the service has received nothing of the request."""
NOT_ANSWERED = {
    "upstream_refused",
    "upstream_unreachable",
    "upstream_name_unresolved",
    "upstream_tls_failed",
    "upstream_connect_timeout",
    "upstream_reset",
    "upstream_timeout",
    "upstream_incomplete",
    "upstream_protocol_error",
}
NEXT_REQUEST_LOST = {
    "malformed_request",
    "request_timeout",
    "body_too_large",
    "url_too_long",
    "expectation_failed",
    "headers_too_large",
    "transfer_coding_unsupported",
    "http_version_unsupported",
}


def test_the_catalogue_is_named_by_its_rows() -> None:
    assert [row.name for row in CATALOGUE.values()] == list(CATALOGUE)


def test_faults_after_which_the_service_has_received_nothing() -> None:
    assert {name for name, row in CATALOGUE.items() if row.of_upstream and not row.reached_service} == NOT_SENT


@pytest.mark.parametrize(
    "name", ["malformed_request", "request_timeout", "body_too_large", "headers_too_large", "client_closed"]
)
def test_a_fault_of_a_request_body_may_occur_after_a_part_was_sent(name: str) -> None:
    assert CATALOGUE[name].reached_service


def test_faults_that_count_against_a_target() -> None:
    assert {name for name, row in CATALOGUE.items() if row.against_target} == NOT_ANSWERED


def test_faults_that_end_the_client_connection() -> None:
    assert {name for name, row in CATALOGUE.items() if row.ends_connection} == NEXT_REQUEST_LOST


def test_faults_of_an_upstream_are_those_of_the_service_and_of_its_connection_pool() -> None:
    pool = {"upstream_saturated", "upstream_share_spent", "upstream_streams_full"}
    of_upstream = {name for name, row in CATALOGUE.items() if row.of_upstream}
    assert of_upstream == {name for name, row in CATALOGUE.items() if row.source == "upstream"} | pool


def test_a_stored_error_refers_to_no_frames_and_to_no_other_error() -> None:
    try:
        try:
            raise ValueError("the first one")
        except ValueError as first:
            raise GatewayError(UPSTREAM_RESET, cause="reset") from first
    except GatewayError as error:
        kept = error.kept()
    assert (kept.__traceback__, kept.__context__, kept.__cause__) == (None, None, None)
    assert (kept.fault, kept.cause, str(kept)) == (UPSTREAM_RESET, "reset", "upstream_reset")


def test_a_refusal_with_nothing_of_its_own_is_one_for_all() -> None:
    error = refusal(KEY_UNKNOWN)
    assert refusal(KEY_UNKNOWN).kept() is error
    assert (error.fault, error.row, error.details, error.allow, error.cause) == (KEY_UNKNOWN, None, (), None, None)
    own = msgspec.structs.replace(KEY_UNKNOWN, code=1001)
    assert refusal(own).fault is own
