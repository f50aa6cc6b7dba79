"""Reads the files of a document, and follows references within and between them. Nothing is fetched from a network."""

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from gateway.settings.document.plain import read_plain
from gateway.settings.positions import Broken, Items, Loc, Position, SourceFile, Table, position_of_key
from gateway.settings.problem_list import ProblemList

LARGEST_FILE_BYTES = 64 * 1024 * 1024
_LONGEST_CHAIN = 100


class Node(NamedTuple):
    """A value of a document: the file that it stands in, the way to it from the top, its position, and itself."""

    file: str
    way: Loc
    position: Position
    value: Any

    def below(self, *steps: str | int) -> "Node | None":
        """Return the value at `steps` below this one, None if there is none."""
        position, value = self.position, self.value
        for step in steps:
            if isinstance(value, Table) and isinstance(step, str) and step in value:
                position, value = value.positions[step][1], value[step]
            elif isinstance(value, Items) and isinstance(step, int) and step < len(value):
                position, value = value.positions[step], value[step]
            else:
                return None
        return Node(self.file, (*self.way, *steps), position, value)

    def entries(self) -> "list[tuple[str, Node]]":
        """Return the members of a mapping; none of anything else."""
        if not isinstance(self.value, Table):
            return []
        return [
            (key, Node(self.file, (*self.way, key), self.value.positions[key][1], value))
            for key, value in self.value.items()
        ]

    def items(self) -> "list[Node]":
        """Return the elements of a list; none of anything else."""
        if not isinstance(self.value, Items):
            return []
        return [
            Node(self.file, (*self.way, index), self.value.positions[index], value)
            for index, value in enumerate(self.value)
        ]

    def text(self, name: str) -> str:
        """Return a member that is a text, "" if it is something else."""
        value = self.value.get(name) if isinstance(self.value, Table) else None
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """Return whether a member is true."""
        return isinstance(self.value, Table) and self.value.get(name) is True


class Documents:
    """The files that a document consists of, read when they are referred to. Problems go to `problems`."""

    def __init__(self, problems: ProblemList) -> None:
        self.problems = problems
        self._roots: dict[str, Node | None] = {}

    def open(self, name: str, content: bytes | None = None, at: Position | None = None) -> Node | None:
        """Return the root of a file, None if it cannot be read.

        `content` is what it contains if that is known already; `at` is the position of the reference to it.
        """
        if name not in self._roots:
            self._roots[name] = self._read(name, content, at)
        return self._roots[name]

    def report(self, node: Node, text: str, hint: str = "") -> None:
        """Report that something is wrong with a value."""
        self.problems.add(node.position, node.way, text, hint)

    def report_key(self, node: Node, text: str, hint: str = "") -> None:
        """Report that something is wrong with a member's name."""
        root = self._roots[node.file]
        assert root is not None
        self.problems.add(position_of_key(root.value, node.way), node.way, text, hint)

    def warn(self, node: Node, text: str, hint: str = "") -> None:
        """Report what is not as the specification has it, and does no harm."""
        self.problems.add(node.position, node.way, text, hint, severity="warning")

    def follow(self, node: Node) -> Node | None:
        """Return what `node` is or refers to, None if a reference leads nowhere, which is reported."""
        first = node
        for _ in range(_LONGEST_CHAIN):
            reference = node.below("$ref")
            if reference is None or not isinstance(reference.value, str):
                return node
            found = self.target(reference)
            if found is None:
                return None
            node = found
        self.report(first, "this reference leads in a circle")
        return None

    def target(self, reference: Node) -> Node | None:
        """Return what the text of `reference` refers to, None if that is nothing, which is reported."""
        name, _, pointer = reference.value.partition("#")
        if "://" in name or name.startswith("//"):
            self.report(
                reference, "this refers to another server, and nothing is fetched", "save it as a file beside this one"
            )
            return None
        file = reference.file if not name else str(Path(reference.file).parent / unquote(name))
        root = self.open(file, at=reference.position)
        if root is None:
            return None
        if pointer and not pointer.startswith("/"):
            self.report(reference, f"`#{pointer}` is not a JSON pointer", "refer to `#/…`")
            return None
        node: Node | None = root
        for step in pointer.split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            at: str | int = int(key) if node is not None and isinstance(node.value, Items) and key.isdecimal() else key
            node = None if node is None else node.below(at)
        if node is None:
            self.report(reference, f"`{reference.value}` refers to nothing")
        return node

    def _read(self, name: str, content: bytes | None, at: Position | None) -> Node | None:
        source = SourceFile(name, (), Path(name).parent)
        where = at or Position(source, 0, 0)
        subject = f"`{name}` " if at else ""
        if content is None:
            try:
                with Path(name).open("rb") as stream:
                    content = stream.read(LARGEST_FILE_BYTES + 1)
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else "this is not the name of a file"
                self.problems.add(where, (), f"{subject}cannot be read: {why}")
                return None
        if len(content) > LARGEST_FILE_BYTES:
            self.problems.add(where, (), f"{subject}is larger than {LARGEST_FILE_BYTES >> 20} MiB")
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.problems.add(where, (), f"{subject}is not UTF-8", "save the file as UTF-8")
            return None
        source = SourceFile.of(name, text, Path(name).parent)
        self.problems.open(source)
        value = read_plain(source, text, self.problems.add)
        if isinstance(value, Broken):
            return None
        return Node(name, (), Position(source, 1, 1), value)
