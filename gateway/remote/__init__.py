"""What is at the other end of a socket."""
