"""One worker process: a configuration becomes a running gateway, under the supervisor's control."""
