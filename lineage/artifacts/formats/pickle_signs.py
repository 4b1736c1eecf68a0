"""Whether bytes that no first bytes give away would run something as a pickle.

Owns: telling a pickle of protocol 0 or 1 from text and numbers that happen to begin with its instructions.
Does not own: walking (`pickle_walk`), judging (`pickle_scan`). Nothing is ever unpickled.

Such a pickle begins with any instruction. It can do nothing but by what it imports: calling that, or putting
something into it (`sys.path`, `os.environ`). Until then every instruction has to find what it needs: no
unpickler goes on without. Lists of words get as far as that by chance (`car`, `cat`, `cow`, `cup`, `bear`:
two imports, and BUILD). So the arguments count too:

- What an instruction has put together as a tuple, list or dict, or behind a mark, no list of words has:
  whatever comes behind such a call, or however it breaks off, it has run by then.
- So it is with a text, where what is imported is of Python's own modules, and an instruction comes behind it
  that makes sense too.
- Any other call, but with nothing else than what is imported too, counts where the last pickle of the file
  ends as it should: with one value, and nothing else on the stack.
"""

from __future__ import annotations

import pickletools
import re
import sys
from dataclasses import dataclass, field
from enum import IntEnum

from lineage.artifacts.formats.pickle_walk import BY_CODE, IMPORTS, instruction
from lineage.artifacts.formats.streams import CutOffError, Stream
from lineage.errors import MalformedError, TooLargeError

MAX_TRIED = 1_000_000
"""Instructions. Numbers in a mask or a table make sense for as long: without an import they are no pickle."""

_MAKES = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"})
_ALTERS = frozenset({"BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_NUMBER = re.compile(rb"\s*[+-]?[0-9]\w*\s*")
_FRACTION = re.compile(rb"\s*[+-]?([0-9.]|nan|inf).*", re.IGNORECASE)
_TEXT = re.compile(rb"(['\"]).*\1\s*", re.DOTALL)
_NAMES = re.compile(r"[\w.-]+\n[\w.-]+\n")
_PLACE = re.compile(rb"\s*\+?[0-9]{1,18}\s*")
_PLAIN = {
    "INT": _NUMBER,
    "LONG": _NUMBER,
    "PUT": _PLACE,
    "GET": _PLACE,
    "FLOAT": _FRACTION,
    "STRING": _TEXT,
}
"""What the line of an instruction has to look like for an unpickler to go on."""
_OF_PYTHON = sys.stdlib_module_names | {"__builtin__", "copy_reg"}


class _Is(IntEnum):
    """What a value is, as far as it matters here. OWN is imported from one of Python's own modules."""

    MARK = 0
    PLAIN = 1
    TEXT = 2
    BUILT = 3
    IMPORTED = 4
    OWN = 5


_KINDS = {
    **dict.fromkeys(("str", "bytes_or_str"), _Is.TEXT),
    **dict.fromkeys(("tuple", "list", "dict", "set", "frozenset"), _Is.BUILT),
}


def runs(stream: Stream) -> bool | None:
    """Whether loading the bytes as pickles, one behind the other, runs something that they import.

    None where they end before that can be told, or go on for too long, and nothing speaks against it.
    Raises: InconclusiveError.
    """
    tried, stack = 0, _Stack()
    try:
        while stream.peek(1):
            stack = _Stack()
            imported = stopped = False
            while not stopped:
                name, content = instruction(stream)
                runs_if_sound = stack.runs_if_sound
                if not _is_sound(name, content[1:]) or not stack.takes(BY_CODE[content[0]], content[1:]):
                    return False
                if stack.surely_runs or runs_if_sound:
                    return True
                imported = imported or name in IMPORTS
                stopped = name == "STOP"
                tried += 1
                if tried > MAX_TRIED:
                    return True if imported else None
            if stack.may_run and not stack.values and not stream.peek(1):
                return True
    except CutOffError:
        return stack.runs_if_sound or None
    except (MalformedError, TooLargeError):
        pass  # no unpickler gets as far as a call
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
    """What an unpickler would have on its stack and in its memo; what is below a mark is out of reach.

    `surely_runs`, `runs_if_sound`, `may_run`: whether something that was imported was called or altered, in
    the order of what is said above.
    """

    values: list[_Is] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, _Is] = field(default_factory=dict)
    surely_runs: bool = False
    runs_if_sound: bool = False
    may_run: bool = False

    def takes(self, info: pickletools.OpcodeInfo, argument: bytes) -> bool:
        """Do what the instruction does; False where it does not find what it needs."""
        name, needed, marked = info.name, info.stack_before, pickletools.markobject in info.stack_before
        if name == "MARK":
            self.marks.append(len(self.values))
            self.values.append(_Is.MARK)
            return True
        if name in _PUTS or name in _GETS:
            return self._remembers(name, argument)
        if name == "POP" and self.values[-1:] == [_Is.MARK]:
            return self._behind_mark() is not None
        behind = self._behind_mark() if marked else []
        count = needed.index(pickletools.markobject) if marked else len(needed)
        if behind is None or not self._reaches(count):
            return False
        taken = self.values[len(self.values) - count :] + behind
        del self.values[len(self.values) - count :]
        if name == "DUP":
            self.values += taken * 2
            return True
        return self._gives(info, argument, [_origin(argument), *taken] if name == "INST" else taken, marked)

    def _reaches(self, count: int) -> bool:
        return len(self.values) - (self.marks[-1] + 1 if self.marks else 0) >= count

    def _behind_mark(self) -> list[_Is] | None:
        """What lies above the last mark, taken away with it; None where there is no mark."""
        if not self.marks:
            return None
        place = self.marks.pop()
        behind = self.values[place + 1 :]
        del self.values[place:]
        return behind

    def _remembers(self, name: str, argument: bytes) -> bool:
        if name == "MEMOIZE":
            place = len(self.memo)
        else:
            place = int(argument) if name in {"PUT", "GET"} else int.from_bytes(argument, "little")
        if name in _PUTS:
            if self._reaches(1):
                self.memo[place] = self.values[-1]
            return self._reaches(1)
        if place in self.memo:
            self.values.append(self.memo[place])
        return place in self.memo

    def _gives(self, info: pickletools.OpcodeInfo, argument: bytes, taken: list[_Is], marked: bool) -> bool:
        """Put onto the stack what the instruction makes of what it took from there."""
        name = info.name
        kind = _KINDS.get(info.stack_after[0].name, _Is.PLAIN) if info.stack_after else _Is.PLAIN
        if name in _MAKES or name in _ALTERS:
            if not taken:
                return False
            self._uses(name, taken[0], taken[1:], marked)
            kind = taken[0] if name in _ALTERS else max(_Is.IMPORTED, taken[0])
        elif name == "STACK_GLOBAL" and taken != [_Is.TEXT, _Is.TEXT]:
            return False
        elif name in IMPORTS:
            kind = {"GLOBAL": _origin(argument), "STACK_GLOBAL": _Is.OWN}.get(name, _Is.IMPORTED)
        if info.stack_after:
            self.values.append(kind)
        return True

    def _uses(self, name: str, target: _Is, given: list[_Is], marked: bool) -> None:
        """Take note of a call or an alteration of `target` with what is `given` to it."""
        if target < _Is.IMPORTED:
            return
        given_values = any(kind < _Is.IMPORTED for kind in given)
        built = _Is.BUILT in given and (name in _MAKES or name == "BUILD")
        own = target is _Is.OWN and (_Is.TEXT in given or not given)
        self.surely_runs = self.surely_runs or built or (marked and given_values)
        self.runs_if_sound = self.runs_if_sound or own
        self.may_run = self.may_run or given_values or not given


def _origin(argument: bytes) -> _Is:
    """What the names that are imported are of: a module of Python's own, or of anybody."""
    module = argument.partition(b"\n")[0].partition(b".")[0]
    return _Is.OWN if module.decode(errors="replace") in _OF_PYTHON else _Is.IMPORTED
