"""Pure functions of their arguments: no sockets, no clock, no environment.

Law of growth, here and wherever else bytes of a client or a service are read: they cost time linear in their number,
under 25 ns each beyond the normal way, and bounded memory. Three rules follow from it.

- No regular expression has two unbounded repeats that can match the same text. No expression that is searched for has
  a repeat that a later beginning could match as well. tests/architecture/test_expressions.py reads all of them.
- No step in Python is taken for each escape, separator or bracket where a stranger decides how many there are. Built-in
  functions work on the whole text, and what costs more for each (keys, messages, links, hops, options) has a bound.
- Whatever copies its unused input is given slices, and whatever can work without yielding anything is made to yield.

tests/properties/test_growth_requests.py and test_growth_replies.py grow every untrusted input by a factor of four,
filled with patterns that are known to be expensive, and allow six times the cost at most.
"""
