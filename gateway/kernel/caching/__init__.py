"""What a cache of replies may keep, for how long, and for whom (RFC 9111). Pure: time is a parameter."""
