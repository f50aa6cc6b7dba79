"""Pure decisions: no sockets, no clock, no environment. Everything here is a function of its arguments.

Law of growth, here and wherever else bytes of a client or a service are read: they cost time linear in their number, under 25 ns
each beyond the normal way, and bounded memory. So

- no regular expression has two unbounded repeats that can match the same text, and none that is searched for has one that a
  later beginning could match as well (tests/architecture/test_expressions.py reads all of them);
- no step in Python is taken for each escape, separator or bracket where a stranger decides how many there are: the work is done by
  built-in functions on the whole text, and what costs more for each (keys, messages, links, hops, options) has a bound;
- whatever copies what it has not used yet is given slices, and whatever can work without yielding anything is held to yield.

tests/properties/test_growth_requests.py and test_growth_replies.py grow every untrusted input by four, filled with what has hurt
somebody, and let it cost six times as much at most.
"""
