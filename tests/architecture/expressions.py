"""How a regular expression can make Python's engine try again: read from the expression itself, without running it.

An expression becomes an automaton whose states are places in it. Trying again costs more than linear time when some
text can lead from one repeat into itself, from that into another, and from the other into itself: then where the first
ends and the second begins is a free choice, made for every character (the criterion of Weber and Seidl for infinite
ambiguity). Whoever searches has a repeat in front of everything, that of the places where to begin. What is possessive
or atomic gives nothing back, so it is no first.

A bounded repeat of up to `FEW` is written out; of more it counts as unbounded.
"""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

op: Any = import_module("re._constants")  # the parser of `re` has no stubs
parser: Any = import_module("re._parser")

FEW = 6
_ALPHABET = frozenset(range(256)) | {0x100}
"""One character stands for all that are beyond Latin-1."""
_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d", op.CATEGORY_NOT_DIGIT: r"\D", op.CATEGORY_SPACE: r"\s", op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w", op.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip
_AT_THE_BEGINNING = {op.AT_BEGINNING, op.AT_BEGINNING_STRING}
_NOTHING_MORE = {op.AT, op.ASSERT, op.ASSERT_NOT, op.GROUPREF}
"""What takes no character, or one that is not known: passed over, which can only find too much."""


class Node(NamedTuple):
    """A state that takes a character of `takes`. `held` are the atomic groups that it is in."""

    number: int
    takes: frozenset[int]
    held: frozenset[int]


class _Automaton:
    def __init__(self, flags: int) -> None:
        self.nodes: list[Node] = []
        self.follow: dict[int, set[int]] = {}
        self.doubled = False
        """Whether one repeat is another one's whole inside, so that a character belongs to either."""
        self._atoms = 0
        self._flags = flags

    def node(self, takes: frozenset[int], held: frozenset[int]) -> int:
        if self._flags & re.IGNORECASE:
            takes |= {
                ord(other)
                for code in takes
                if code < 256
                for other in (chr(code).lower(), chr(code).upper())
                if len(other) == 1 and ord(other) < 256
            }
        self.nodes.append(Node(len(self.nodes), takes, held))
        self.follow[len(self.nodes) - 1] = set()
        return len(self.nodes) - 1

    def link(self, ends: Iterable[int], firsts: Iterable[int]) -> None:
        for end in ends:
            self.doubled = self.doubled or not self.follow[end].isdisjoint(firsts)
            self.follow[end] |= set(firsts)

    def sequence(self, items: Any, held: frozenset[int]) -> tuple[set[int], set[int], bool]:
        """Where it begins, where it ends, and whether it may be empty."""
        firsts: set[int] = set()
        lasts: set[int] = set()
        empty = True
        for item in items:
            begins, ends, optional = self.item(item, held)
            self.link(lasts, begins)
            if empty:
                firsts |= begins
            lasts = lasts | ends if optional else ends
            empty = empty and optional
        return firsts, lasts, empty

    def item(self, item: Any, held: frozenset[int]) -> tuple[set[int], set[int], bool]:
        kind, value = item
        if kind is op.AT and value in _AT_THE_BEGINNING and not self._flags & re.MULTILINE:
            number = self.node(frozenset(), held)  # nobody who searches comes here again
            return {number}, {number}, False
        if kind in _NOTHING_MORE:
            return set(), set(), True
        if kind is op.SUBPATTERN:
            return self.sequence(value[-1], held)
        if kind is op.ATOMIC_GROUP:
            return self.sequence(value, held | self._atom())
        if kind is op.BRANCH:
            found = [self.sequence(branch, held) for branch in value[1]]
            self.doubled = self.doubled or sum(optional for _, _, optional in found) > 1
            return (
                set().union(*(each[0] for each in found)),
                set().union(*(each[1] for each in found)),
                any(each[2] for each in found),
            )
        if kind in {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}:
            least, most, inside = value
            return self._repeat(least, most, inside, held | self._atom() if kind is op.POSSESSIVE_REPEAT else held)
        number = self.node(_taken(kind, value), held)
        return {number}, {number}, False

    def _repeat(self, least: int, most: Any, items: Any, held: frozenset[int]) -> tuple[set[int], set[int], bool]:
        if most is not op.MAXREPEAT and most <= FEW:
            copies = [self.sequence(items, held) for _ in range(most)]
            firsts, lasts, empty = set[int](), set[int](), True
            for number, (begins, ends, optional) in enumerate(copies):
                self.link(lasts, begins)
                if empty:
                    firsts |= begins
                passed = optional or number >= least
                lasts = lasts | ends if passed else ends
                empty = empty and passed
            return firsts, lasts, empty
        begins, ends, optional = self.sequence(items, held)
        self.link(ends, begins)
        return begins, ends, optional or least == 0

    def _atom(self) -> frozenset[int]:
        self._atoms += 1
        return frozenset({self._atoms})


def _taken(kind: Any, value: Any) -> frozenset[int]:
    if kind is op.LITERAL:
        return frozenset({min(value, 0x100)})
    if kind is op.NOT_LITERAL:
        return _ALPHABET - {value}
    if kind is op.ANY:
        return _ALPHABET
    assert kind is op.IN, kind
    negated = value[0][0] is op.NEGATE
    taken = frozenset(code for part in value for code in _codes(*part))
    return _ALPHABET - taken if negated else taken


def _codes(kind: Any, value: Any) -> Iterator[int]:
    if kind is op.LITERAL:
        yield min(value, 0x100)
    elif kind is op.RANGE:
        yield from (min(code, 0x100) for code in range(value[0], min(value[1], 0x100) + 1))
    elif kind is op.CATEGORY:
        yield from (code for code in _ALPHABET if re.match(_CATEGORIES[value], chr(code)))


def ambiguity(pattern: str | bytes, flags: int = 0, *, searched: bool) -> str | None:
    """Two repeats in `pattern` that a text can be shared between in many ways, None when there are none."""
    parsed = parser.parse(pattern, flags)
    automaton = _Automaton(parsed.state.flags)
    firsts, lasts, _ = automaton.sequence(parsed, frozenset())
    if parsed.data and parsed.data[-1][0] in _NOTHING_MORE:
        lasts = set()  # it may fail there
    if automaton.doubled:
        return "a repeat within a repeat"
    start = -1
    committed: set[int] = set()
    if searched:
        start = automaton.node(_ALPHABET, frozenset())
        committed = _closure(
            {node: after - {start} if node not in lasts else set() for node, after in automaton.follow.items()}
            | {start: firsts}
        )[start]
        automaton.follow[start] = {start, *firsts}
    nodes, follow = automaton.nodes, automaton.follow
    reach = _closure(follow)
    for first in nodes:
        for second in nodes:
            if first.number == second.number or first.held - second.held:
                continue
            if first.number == start and second.number not in committed - lasts:
                continue  # the search has succeeded before it can fail there
            if not (
                first.number in reach[first.number] and second.number in reach[first.number] & reach[second.number]
            ):
                continue
            if _shared(nodes, follow, reach, first.number, second.number):
                return f"{_shown(first.takes)} and then {_shown(second.takes)}"
    return None


def _closure(follow: dict[int, set[int]]) -> dict[int, set[int]]:
    reach = {}
    for start, following in follow.items():
        seen: set[int] = set()
        waiting = list(following)
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += follow[node]
        reach[start] = seen
    return reach


def _shared(
    nodes: list[Node], follow: dict[int, set[int]], reach: dict[int, set[int]], first: int, second: int
) -> bool:
    """Whether one text leads from `first` to itself, from `first` to `second`, and from `second` to itself."""
    begin, goal = (first, first, second), (first, second, second)
    around, after = (
        {node for node in reach[first] if first in reach[node]},
        {node for node in reach[second] if second in reach[node]},
    )
    between = {node for node in reach[first] if second in reach[node]}
    seen = {begin}
    waiting = [begin]
    while waiting:
        a, b, c = waiting.pop()
        for x in follow[a] & around:
            for y in follow[b] & between:
                both = nodes[x].takes & nodes[y].takes
                if not both:
                    continue
                for z in follow[c] & after:
                    if both & nodes[z].takes:
                        if (x, y, z) == goal:
                            return True
                        if (x, y, z) not in seen:
                            seen.add((x, y, z))
                            waiting.append((x, y, z))
    return False


def _shown(takes: frozenset[int]) -> str:
    """Some of the characters."""
    return repr("".join(map(chr, sorted(takes, key=lambda code: (not chr(code).isalnum(), code))[:8])))
