"""What tests of more than one folder use."""

pytest_plugins = ["tests.redis_server", "tests.redis_sentinels", "tests.redis_cluster"]
