from gateway.supervisor.restart_backoff import RestartBackoff


def test_the_wait_grows_with_early_deaths_in_a_row() -> None:
    backoff = RestartBackoff()
    waits = [backoff.after_death(0, 0.0) for _ in range(10)]
    assert waits == [0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert backoff.after_death(1, 0.5) == 0.0
    assert backoff.after_death(0, 0.6) == 0.0
    assert backoff.after_death(0, 0.0) == 0.0


def test_the_wait_grows_with_failed_attempts() -> None:
    assert [RestartBackoff.after_failures(count) for count in (1, 2, 3, 4, 50)] == [0.2, 0.4, 0.8, 1.0, 1.0]
