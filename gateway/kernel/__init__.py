"""Pure decisions: no sockets, no clock, no environment. Everything here is a function of its arguments."""
