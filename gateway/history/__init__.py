"""The last hour as it went, for the operator's page: requests, errors, durations, limits, targets and reloads.

    activity.py         counts the exchanges of a worker, and publishes the counts once a second
    feed.py             the shared memory in which a worker publishes them
    measures.py         the numbers that are kept of each route, key, organisation and target
    timeline.py         slots of one second and of ten seconds, and the sums of the last minute, ten minutes and hour
    history.py          collects what the workers publish, in the supervisor
    report.py           the history as JSON
    target_events.py    when targets went down, were ejected, and came back
    reload_events.py    the last reloads, and what each of them changed
    node_history.py     all of it, for the supervisor

The supervisor keeps the history, so that it survives workers and reloads. A worker that dies loses the counts of its
last second. Everything is bounded: what goes beyond a bound is added up under the name "other".
"""
