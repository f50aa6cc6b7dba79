"""Metrics, logs, traces and recent errors. No request waits for any of them.

metrics    metrics.py names every series of a worker, node.py those of its supervisor; families > series > slots is how one is
           kept, in memory that both share, and exposition > rows how a scrape is told all of them, added up
log        log.py, with the line of each request in access.py and what is hidden in redact.py; writer.py has a thread that
           waits for whoever reads, direct.py none, for the supervisor
errors     errors.py, a ring of the last ones in the same kind of memory
workers    pulse.py, how each one is
"""
