"""What operators may look at of exchanges that failed: header fields and the start of bodies, without secrets."""
