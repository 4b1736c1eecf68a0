"""Whether bytes that no first bytes give away would run something as a pickle.

Owns: telling a pickle of protocol 0 or 1 from text and numbers that happen to begin with one of its
instructions. Does not own: walking (`pickle_walk`), judging (`pickle_scan`). Nothing is ever unpickled.

Such a pickle begins with any instruction. It can do nothing but by calling what it imports. That is taken for
a call where the names can be names, and where until then every instruction finds what it needs on the stack:
no unpickler goes on without. Text hardly gets over its second line.
"""

from __future__ import annotations

import pickletools
import re
from dataclasses import dataclass, field

from lineage.artifacts.formats.pickle_walk import BY_CODE, IMPORTS, instruction
from lineage.artifacts.formats.streams import CutOffError, Stream
from lineage.errors import MalformedError, TooLargeError

MAX_TRIED = 1_000_000
"""Instructions. So many that make sense are no chance, whatever comes behind them."""

_CALLS = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
_NUMBER = re.compile(rb"\s*[+-]?[0-9]\w*\s*")
_FRACTION = re.compile(rb"\s*[+-]?([0-9.]|nan|inf).*", re.IGNORECASE)
_TEXT = re.compile(rb"(['\"]).*\1\s*", re.DOTALL)
_NAMES = re.compile(r"[\w.-]+\n[\w.-]+\n")
_PLAIN = {
    "INT": _NUMBER,
    "LONG": _NUMBER,
    "PUT": _NUMBER,
    "GET": _NUMBER,
    "FLOAT": _FRACTION,
    "STRING": _TEXT,
}
"""What the line of an instruction has to look like for an unpickler to go on."""


def runs(stream: Stream) -> bool | None:
    """Whether loading the bytes as pickles, one behind the other, calls something that they import.

    None where they end before that can be told, and nothing speaks against it. Raises: InconclusiveError.
    """
    tried = 0
    try:
        while stream.peek(1):
            stack = _Stack()
            imported = stopped = False
            while not stopped:
                name, content = instruction(stream)
                if not _is_sound(name, content[1:]) or not stack.takes(content[0]):
                    return False
                imported = imported or name in IMPORTS
                if imported and name in _CALLS:
                    return True
                stopped = name == "STOP"
                tried += 1
                if tried > MAX_TRIED:
                    return True
    except CutOffError:
        return None
    except (MalformedError, TooLargeError):
        return False
    return False


def _is_sound(name: str, argument: bytes) -> bool:
    """Whether an unpickler can make of the argument what the instruction wants."""
    if name in {"GLOBAL", "INST"}:
        return _NAMES.fullmatch(argument.decode()) is not None
    if name == "PERSID":
        return argument.isascii()
    wanted = _PLAIN.get(name)
    return wanted is None or wanted.fullmatch(argument[:-1]) is not None


@dataclass(slots=True)
class _Stack:
    """How many values an unpickler would have on its stack, and how many there were below each mark."""

    depth: int = 0
    marks: list[int] = field(default_factory=list)

    def takes(self, code: int) -> bool:
        """Do what the instruction does; False where it does not find what it needs."""
        info = BY_CODE[code]
        needed = info.stack_before
        count = len(needed)
        if pickletools.markobject in needed or (info.name == "POP" and self.marks[-1:] == [self.depth]):
            if not self.marks:
                return False
            self.depth = min(self.marks.pop(), self.depth)
            count = needed.index(pickletools.markobject) if pickletools.markobject in needed else 0
        if count > self.depth:
            return False
        self.depth -= count
        if info.name == "MARK":
            self.marks.append(self.depth)
        else:
            self.depth += len(info.stack_after)
        return True
