"""`gateway diff`: two configurations, compiled and compared by what they mean to callers."""
