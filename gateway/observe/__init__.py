"""Metrics, logs, traces and recent errors. No request waits for any of them.

metrics   metrics.py names every series of a worker, node_metrics.py those of its supervisor. families.py declares them,
          instruments.py counts in shared_memory.py, and exposition.py with text_format.py sums the memory of all
          processes for a scrape.
log       log.py, with the line of each request in access_log.py and redaction of secrets in redact.py. writer.py writes
          from a thread, direct_writer.py without one, for the supervisor.
errors    recent_errors.py, a ring of the last errors in shared memory.
"""
