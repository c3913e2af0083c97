"""An error or a leak as memcheck found it: a plain value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Caller, Frame, Further, Origin, Owner, PythonLine, Stack

_MOST_KINDS = 4
# What valgrind says with --track-origins=yes (mc_errors.c in its source).
_CREATED = "Uninitialised value was created by "


@dataclass(frozen=True)
class Finding:
    """An error, or a loss record."""

    kind: Kind
    message: str  #: memcheck's own words
    stack: Stack = ()
    further: tuple[Further, ...] = ()
    pid: int = 0
    #: Process id and command of the child process in which it was found, if it was one.
    process: str = ""
    #: For a loss record: what it grew by since the leak check before.
    bytes: int = 0
    blocks: int = 0
    #: How often the error occurred.
    count: int = 1
    #: Of the test: setup, call, teardown, or the garbage collection after it.
    phase: str = ""
    #: The test in which valgrind showed the error, if it was an earlier one.
    shown_in: str = ""
    #: Of the stack, which for a lost block is where it was allocated.
    origin: Origin | None = None
    #: The test, its function, a fixture or a module.
    caller: Caller | None = None
    #: The test, or phase of a fixture, that allocated the lost block, if it was another.
    made_in: str = ""
    #: The phase of a fixture that several tests share, in words, if it was in one.
    fixture: str = ""
    #: Where else a block may have been lost, as a sentence.
    doubt: str = ""
    #: Its lines in the log.
    raw: str = ""
    #: The label of the engine that found it, if it was another than the session's.
    engine: str = ""
    #: Python objects to which references were lost, in words: the first of them.
    objects: tuple[str, ...] = ()
    #: All of them, by the names of their types.
    types: Mapping[str, int] = field(default_factory=dict)
    #: Where in Python it happened, the most recent call first.
    python: tuple[PythonLine, ...] = ()
    #: What is to be said about that.
    python_note: str = ""
    #: Why it fails nothing, if it was there before: the name of the baseline.
    known: str = ""
    #: The lines of the suppression that valgrind made for it, if that was asked for.
    suppression: tuple[str, ...] = ()

    @cached_property
    def innermost(self) -> Frame | None:
        """The frame to name in one line: the extension's innermost, else a library's."""
        stacks = [self.stack, *(further.stack for further in self.further)]
        for owner in (Owner.EXTENSION, Owner.LIBRARY, Owner.PYTHON):
            for stack in stacks:
                for frame in stack:
                    if frame.owner is owner:
                        return frame
        others = (Owner.CHECKER, Owner.VALGRIND)
        return next((frame for frame in self.stack if frame.owner not in others), None)

    @property
    def has_python_frames(self) -> bool:
        """Whether its stacks name Python functions."""
        stacks = [self.stack, *(further.stack for further in self.further)]
        return any(frame.owner is Owner.PYTHON for stack in stacks for frame in stack)

    @property
    def objects_without_source(self) -> set[str]:
        """Paths of extensions and libraries in its stacks that have no debug information."""
        stacks = [self.stack, *(further.stack for further in self.further)]
        return {
            frame.object
            for stack in stacks
            for frame in stack
            if frame.object and not frame.file and frame.owner in (Owner.EXTENSION, Owner.LIBRARY)
        }

    @property
    def is_interpreter_noise(self) -> bool:
        """Whether it is an error with which the interpreter alone has to do, and harmless.

        Where it was allocated, or where its uninitialised value is from, counts as well.
        """
        if self.kind.is_leak or self.kind.is_harmful_anywhere or self.kind.is_about_descriptors:
            return False
        owners = {frame.owner for frame in self.stack}
        owners.update(frame.owner for further in self.further for frame in further.stack)
        return not owners.isdisjoint((Owner.INTERPRETER, Owner.LIBC)) and all(
            owner.is_of_interpreter or owner is Owner.UNKNOWN for owner in owners
        )

    @property
    def is_unexplained(self) -> bool:
        """Whether it is noise that may be an extension's, by where its value was created."""
        return (
            self.is_interpreter_noise
            and not self.process
            and (self.kind is Kind.UNINITIALISED or "uninitialised" in self.message)
        )

    @property
    def is_handed_over(self) -> bool:
        """Whether the interpreter alone decides upon what an extension has left unwritten."""
        return all(frame.owner is not Owner.EXTENSION for frame in self.stack) and any(
            frame.owner is Owner.EXTENSION
            for further in self.further
            if further.caption.startswith(_CREATED)
            for frame in further.stack
        )

    @property
    def place(self) -> tuple[object, ...]:
        """What two findings of one defect have in common.

        Below the extension's outermost frame a stack is the interpreter's, and it is not always
        the same: from 3.11 on, the interpreter has another way to call a function that it has
        called before.
        """
        stacks = (self.stack, *(further.stack for further in self.further))
        where = (self.phase, self.fixture, self.shown_in, self.made_in, self.process, self.caller)
        context = (self.kind, *where)
        return (*context, *(_extension_part(stack) for stack in stacks))

    @property
    def stack_of_extension(self) -> tuple[str, ...]:
        """The stack down to the extension's outermost frame."""
        return _extension_part(self.stack)

    @property
    def defect(self) -> tuple[str, ...]:
        """What findings of one defect have in common, in whichever tests: kind and C stack.

        Where no extension is in the stack, or there is none, it takes the types of lost objects and
        the further stacks as well. Empty if it cannot be told from others.
        """
        frame = self.innermost
        # Many functions without a name may be in an object file, and many a test hangs in a lock.
        is_nameless = frame.function == "???" if frame else not self.types
        if is_nameless or self.kind is Kind.TIMEOUT:
            return ()
        stack = self.stack_of_extension
        if any(frame.owner is Owner.EXTENSION for frame in self.stack):
            return (self.kind.value, *stack)
        # The interpreter allocates and opens for everybody.
        what = (self.message,) if self.kind.is_leftover else sorted(self.types)
        further = [line for each in self.further for line in _extension_part(each.stack)]
        return (self.kind.value, *what, *stack, *further)

    def plus(self, other: Finding) -> Finding:
        """Return both as one."""
        return replace(
            self,
            bytes=self.bytes + other.bytes,
            blocks=self.blocks + other.blocks,
            count=self.count + other.count,
            raw=f"{self.raw}\n\n{other.raw}".strip(),
            objects=(*self.objects, *other.objects),
            types=Counter(self.types) + Counter(other.types),
        )

    @property
    def size(self) -> str:
        """Bytes and blocks of a loss record, how often of an error; in words."""
        if self.kind.is_leak:
            return f"{plural(self.bytes, 'byte')} in {plural(self.blocks, 'block')}"
        return f"{self.count:,} times" if self.count > 1 else "once"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings of the same place together, at the place of the first."""
    places: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        known = places.get(finding.place)
        places[finding.place] = known.plus(finding) if known else finding
    return list(places.values())


def apart(findings: Iterable[Finding]) -> tuple[list[Finding], dict[str, list[Finding]]]:
    """Return a test's own findings, and those of fixtures that it shares, by its phases."""
    own: list[Finding] = []
    shared: dict[str, list[Finding]] = {}
    for finding in findings:
        (shared.setdefault(finding.phase, []) if finding.fixture else own).append(finding)
    return own, shared


def _extension_part(stack: Stack) -> tuple[str, ...]:
    """Return a stack down to the extension's outermost frame, all of it if there is none."""
    ends = [index for index, frame in enumerate(stack) if frame.owner is Owner.EXTENSION]
    return tuple(frame.identity for frame in (stack[: ends[-1] + 1] if ends else stack))


def counted(kinds: Mapping[str, int]) -> str:
    """``3 x dict, 1 x mypkg.Node``; the most frequent ones."""
    # Not by Counter, which does not know a mapping in a clone that has no classes' registries.
    shown = sorted(kinds.items(), key=lambda kind: -kind[1])[:_MOST_KINDS]
    rest = sum(kinds.values()) - sum(count for _, count in shown)
    named = [f"{count:,} x {kind}" for kind, count in shown]
    return ", ".join([*named, *([f"{rest:,} others"] if rest else [])])


def plural(number: int, noun: str, nouns: str = "") -> str:
    """``1 block``, ``2,000 blocks``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or f'{noun}s'}"
