"""Source lines that are safe to show: values that look like secrets are replaced by `***`.

Works on text, not on parsed YAML, because the lines that most need showing are those that cannot be parsed.
When in doubt it hides: the place of a problem is known without its line.
"""

import re
from collections.abc import Sequence

_NAME = r"""["']?(?:[\w-]*(?:tok|secr|pass|pwd|cred|api[-_]?key|authorization|cookie)[\w-]*|[\w-]+[-_]auth|key)["']?"""
_VALUE = re.compile(rf"(?:^|[\s{{,\[-])({_NAME}\s*:\s+)(?![{{\[|>#])", re.IGNORECASE)
_PARENT = re.compile(rf"^[\s-]*(?:{_NAME}|private_key)\s*:\s*(?![{{\[])", re.IGNORECASE)
_REFERENCE = re.compile(r"""["']?\$\{(?:[A-Za-z_][A-Za-z0-9_]*(?::\?[^}]*)?|file:[^}]*)\}["']?(?=\s*(?:$|[,}#]))""")
_IN_FLOW = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^,}"']+)(?=[,}])""")
_USERINFO = re.compile(r"(://)[^\s@,}]+@")
_LONGEST = 160


def masked(lines: Sequence[str], line: int, column: int) -> tuple[str, int]:
    """The line to show, and where the column is in it now. Both count from 1; ("", column) where there is nothing to show."""
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        return "", column
    text = lines[line - 1].rstrip()
    if _continues_secret(lines, line - 1):
        indent = len(text) - len(text.lstrip())
        return text[:indent] + "***", indent + 1
    shown = _mask(text)
    # What stands before the column decides how far it moved.
    before = 0
    while before < min(column - 1, len(shown)) and shown[before] == text[before]:
        before += 1
    if before < column - 1 and text[column - 1 :] and shown.endswith(text[column - 1 :]):
        before = len(shown) - len(text[column - 1 :])
    if len(shown) > _LONGEST:
        start = max(0, before - _LONGEST // 2)
        shown, before = ("…" if start else "") + shown[start : start + _LONGEST] + "…", before - start + (1 if start else 0)
    return shown, before + 1


def _mask(text: str) -> str:
    found = _VALUE.search(text)
    while found:
        start = found.end(1)
        reference = _REFERENCE.match(text, start)
        if reference:
            end = reference.end()
        else:
            in_flow = _IN_FLOW.match(text, start) if "{" in text[:start] else None
            end = in_flow.end() if in_flow else len(text)
            text = f"{text[:start]}***{text[end:]}"
            end = start + 3
        found = _VALUE.search(text, end)
    return _USERINFO.sub(r"\1***@", text)


def _continues_secret(lines: Sequence[str], index: int) -> bool:
    """Whether the line is inside a value of several lines whose key, further up and further left, names a secret."""
    indent = len(lines[index]) - len(lines[index].lstrip())
    for above in reversed(lines[max(0, index - 200) : index]):
        if above.strip() and len(above) - len(above.lstrip()) < indent:
            return _PARENT.match(above) is not None and not _opens_mapping(above)
    return False


def _opens_mapping(line: str) -> bool:
    return line.rstrip().endswith(":") and not re.search(r"(?:tok|secr|pass|private_key)", line, re.IGNORECASE)
