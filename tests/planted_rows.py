"""The planted defects of tests/suites/planted, and what is to be reported of each.

tests/test_planted.py asserts every row, and evaluation/planted_defects.py prints them as a table.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import HERE, INI, SUITES, build_extension
from suite import Run, Suite

LEAK = "[VALGRIND LEAK]"
ERROR = "[VALGRIND ERROR]"
BOTH = "[VALGRIND ERROR+LEAK]"

#: Operator delete of C++ is for the mismatched free only; there is no need of a compiler of C++.
FLAGS = ("-g", "-Wl,--no-as-needed", "-l:libstdc++.so.6")
#: How reports name a function of the suite's extension.
_NAMED = re.compile(r"^  > (\w+) \(flaws\.c:\d+\)$", re.MULTILINE)
_CALL = "call"
_LOST = "definitely lost"


@dataclass(frozen=True)
class Row:
    """A defect at a place."""

    what: str
    place: str
    tests: tuple[str, ...]  #: those that have it
    header: str
    words: tuple[str, ...]  #: of its report
    function: str  #: with the defect, or the last to allocate what is lost
    #: How often it occurs, all in all.
    times: int = 1
    #: What of the summary it is listed in, where it fails no test.
    listed: str = ""
    #: Why it is neither found nor can be.
    limit: str = ""
    #: Whether that is so in some places only, and not sure here.
    varies: bool = False
    #: Why the report cannot name the function.
    nameless: str = ""

    @property
    def fails(self) -> tuple[str, ...]:
        """The tests that it is to fail."""
        return () if self.limit or self.listed else self.tests

    @property
    def is_leak(self) -> bool:
        """Whether it is a leak that a test is to fail for."""
        return any(_LOST in words for words in self.words)


@dataclass(frozen=True)
class Judged:
    """What became of a row."""

    row: Row
    found: frozenset[str]  #: the tests with the right report
    blamed: frozenset[str]  #: other tests, whose reports name the function
    named: frozenset[str]  #: the tests whose report names the function
    is_listed: bool

    @property
    def is_as_expected(self) -> bool:
        """Whether all is as the row says."""
        row = self.row
        if self.blamed or (row.listed and not self.is_listed):
            return False
        if row.limit:
            return row.varies or not self.found
        return self.found == {*row.fails} and bool(row.nameless or self.named == self.found)


def error(function: str, what: str, *words: str) -> Row:
    """Return the row of an error in the call of a test."""
    return Row(what, _CALL, (f"test_error[{function}]",), ERROR, words, function)


def leak(function: str, what: str, *words: str, nameless: str = "") -> Row:
    """Return the row of a leak in the call of a test."""
    return Row(
        f"lost {what}", _CALL, (f"test_leak[{function}]",), LEAK, words, function, nameless=nameless
    )


def both(place: str, size: int, read: str, lose: str, at: str, *words: str) -> Iterator[Row]:
    """Return the rows of a place: an error and a leak.

    :param size: of their blocks.
    :param read: the test with the error.
    :param lose: the test with the leak.
    :param at: what the functions are called after.
    :param words: more ones of the error's report.
    """
    past = ("Address 0x", f"is 0 bytes after a block of size {size} alloc'd")
    words = ("Invalid read of size 1", *past, *words)
    yield Row("invalid read", place, (read,), ERROR, words, f"read_{at}")
    yield Row("lost block", place, (lose,), LEAK, (lost(size),), f"lose_{at}")


def lost(size: int, blocks: int = 1) -> str:
    """Return the words for lost blocks."""
    verb = "block is" if blocks == 1 else "blocks are"
    return f"{size} bytes in {blocks} {verb} {_LOST}"


ERRORS = (
    error("read_past_end", "read past the end of a block", "Invalid read", "0 bytes after a block"),
    error("write_past_end", "write past the end of a block", "Invalid write", "0 bytes after"),
    error(
        "read_freed", "read of a freed block", "Invalid read", "1 bytes inside a block", "free'd"
    ),
    error("write_freed", "write to a freed block", "Invalid write", "1 bytes inside a block"),
    error("compare_past_end", "strncmp past the end of a block", "Invalid read", "strncmp"),
    error("read_freed_object", "read of a freed object", "Invalid read", "inside a block of size"),
    error("write_past_bytes", "write past the end of a bytes object", "Invalid write", "0 bytes"),
    error("free_not_allocated", "free of static memory", "Invalid free()", "data symbol"),
    error("free_inside", "free of an address inside a block", "Invalid free()", "4 bytes inside"),
    error("free_twice", "block freed twice", "Invalid free()", "0 bytes inside a block", "free'd"),
    error("free_mismatched", "malloc block freed by operator delete", "Mismatched free()"),
    error("decide_uninitialised", "decision upon an uninitialised value", "Conditional jump"),
    error(
        "index_by_uninitialised",
        "uninitialised value used as an index",
        "Use of uninitialised value of size 8",
    ),
    error(
        "make_int_of_uninitialised",
        "uninitialised value made an int",
        "Conditional jump",
        "PyLong_FromLong",
    ),
    error(
        "write_out_uninitialised",
        "uninitialised bytes given to write(2)",
        "Syscall param write(buf) points to uninitialised byte(s)",
    ),
    error(
        "write_out_freed",
        "freed block given to write(2)",
        "Syscall param write(buf) points to unaddressable byte(s)",
    ),
    error("mempcpy_overlapping", "mempcpy to where it is from", "overlap in mempcpy"),
    error("strcpy_overlapping", "strcpy to where it is from", "overlap in strcpy"),
    error("malloc_fishy", "malloc of a negative size", "has a fishy (possibly negative) value: -1"),
    error(
        "check_uninitialised",
        "uninitialised bytes that the extension has checked",
        "Uninitialised byte(s) found during client check request",
    ),
    error(
        "check_freed",
        "freed block that the extension has checked",
        "Unaddressable byte(s) found during client check request",
    ),
    Row(
        "float of an uninitialised value, upon which only Python decides",
        _CALL,
        ("test_float_of_uninitialised",),
        ERROR,
        ("Conditional jump", "Uninitialised value was created by a heap allocation"),
        "make_float_of_uninitialised",
    ),
    error("use_no_pool", "memory pool that does not exist", "Illegal memory pool address"),
)
LEAKS = (
    leak("lose_block", "block of malloc's", lost(10)),
    leak("lose_moved", "block of realloc's", "3,000 bytes in 1 block is definitely lost"),
    leak("lose_chain", "chain of blocks, two of them indirectly", lost(96), "64 (+64) indirect"),
    leak("lose_ring", "ring of blocks, one of them indirectly", lost(96), "48 (+48) indirect"),
    leak("lose_mem", "block of PyMem_Malloc's", lost(11)),
    leak("lose_raw_mem", "block of PyMem_RawMalloc's", lost(12)),
    leak("lose_str", "str", _LOST),
    leak("lose_bytes", "bytes", _LOST),
    leak("lose_int", "int", _LOST),
    leak("lose_bytearray", "bytearray", _LOST, "indirect"),
    leak(
        "lose_list",
        "list",
        _LOST,
        "list: [1000, 1001]",
        nameless="CPython reuses the blocks of lists, and valgrind knows the first use",
    ),
    leak("lose_buffer", "bytearray, whose buffer is not released", _LOST),
    leak("lose_thing", "object of an extension's type", _LOST),
    leak(
        "lose_tuple",
        "tuple",
        _LOST,
        nameless="CPython reuses the blocks of tuples, and valgrind knows the first use",
    ),
    Row(
        "lost tuple, in a new block",
        _CALL,
        ("test_tuple_after_collection",),
        LEAK,
        (_LOST,),
        "lose_tuple_after_collection",
    ),
    Row(
        "reference too many to a Python str",
        _CALL,
        ("test_reference_too_many",),
        LEAK,
        (_LOST, "nicode"),
        "keep_reference",
        nameless="the stack is that of the object's allocation, which is the interpreter's",
        limit=(
            "a returned frame of 3.10 stays with its code, and what it pointed to"
            if sys.version_info < (3, 11)
            else ""
        ),
        varies=sys.version_info < (3, 11),
    ),
)
PLACES = (
    *both(
        "setup of a fixture",
        101,
        "test_setup[read_in_setup]",
        "test_setup[lose_in_setup]",
        "in_setup",
        "during setup",
    ),
    *both(
        "teardown of a fixture",
        102,
        "test_teardown[read_in_teardown]",
        "test_teardown[lose_in_teardown]",
        "in_teardown",
        "during teardown",
    ),
    *both(
        "setup of a module's fixture",
        103,
        "test_module_first_to_ask_for_errs",
        "test_module_first_to_ask_for_leaks",
        "in_setup_of_module",
        "in the setup of fixture errs (module scope)",
    ),
    Row(
        "invalid read",
        "teardown of a module's fixture",
        ("test_module_last",),
        BOTH,
        (
            "Invalid read of size 1",
            "of size 104 alloc'd",
            "in the teardown of fixture errs (module scope)",
        ),
        "read_in_teardown_of_module",
    ),
    Row(
        "lost block",
        "teardown of a module's fixture",
        ("test_module_last",),
        BOTH,
        (lost(104),),
        "lose_in_teardown_of_module",
    ),
    Row(
        "block lost in the teardown of what the setup allocated",
        "a module's fixture",
        ("test_module_first_to_ask_for_keeps",),
        LEAK,
        (lost(118),),
        "keep",
    ),
    *both(
        "setUp of unittest",
        108,
        "test_set_up_read_in_set_up",
        "test_set_up_lose_in_set_up",
        "in_set_up",
        "during the call",
    ),
    *both(
        "tearDown of unittest",
        109,
        "test_tear_down_read_in_tear_down",
        "test_tear_down_lose_in_tear_down",
        "in_tear_down",
        "during the call",
    ),
    *both(
        "doctest",
        112,
        "test_planted_places.read_in_doctest",
        "test_planted_places.lose_in_doctest",
        "in_doctest",
        "during the call",
    ),
    *both(
        "thread of C's",
        116,
        "test_thread[start_read_in_thread]",
        "test_thread[start_lose_in_thread]",
        "in_thread",
        "during the call",
    ),
    *both(
        "Python thread",
        105,
        "test_python_thread[read_in_python_thread]",
        "test_python_thread[lose_in_python_thread]",
        "in_python_thread",
        "during the call",
    ),
    *both(
        "tp_dealloc, by garbage collection",
        117,
        "test_dealloc[ReadsInDealloc]",
        "test_dealloc[LosesInDealloc]",
        "in_dealloc",
        "by the garbage collection after the test",
    ),
    *both(
        "`__del__`, by garbage collection",
        106,
        "test_finaliser[read_in_finaliser]",
        "test_finaliser[lose_in_finaliser]",
        "in_finaliser",
        "by the garbage collection after the test",
    ),
    Row(
        "invalid read",
        "import of the test module",
        ("test_planted_import",),
        ERROR,
        ("Invalid read of size 1", "of size 107 alloc'd", "during collection"),
        "read_at_import",
    ),
    Row(
        "lost block",
        "import of the test module",
        (),
        LEAK,
        (),
        "lose_at_import",
        listed="outside tests",
    ),
    Row(
        "invalid read",
        "three tests",
        (
            "test_error_again[read_again0]",
            "test_error_again[read_again1]",
            "test_error_again[read_again2]",
        ),
        ERROR,
        ("Invalid read of size 1", "of size 113 alloc'd"),
        "read_again",
        times=3,
    ),
    Row(
        "lost block",
        "three tests",
        (
            "test_leak_again[lose_again0]",
            "test_leak_again[lose_again1]",
            "test_leak_again[lose_again2]",
        ),
        LEAK,
        (lost(113),),
        "lose_again",
        times=3,
    ),
    Row(
        "invalid read",
        "loop in a test",
        ("test_read_in_loop",),
        ERROR,
        ("Invalid read of size 1", "3 times"),
        "read_in_loop",
        times=3,
    ),
    Row(
        "lost block",
        "loop in a test",
        ("test_lose_in_loop",),
        LEAK,
        (lost(3 * 114, 3),),
        "lose_in_loop",
        times=3,
    ),
    Row(
        "invalid read",
        "setup, call and teardown, of a test each",
        ("test_everywhere_setup", "test_everywhere_call", "test_everywhere_teardown"),
        BOTH,
        ("Invalid read of size 1", "of size 115 alloc'd"),
        "read_everywhere",
        times=3,
    ),
    Row(
        "lost block",
        "setup, call and teardown, of a test each",
        ("test_everywhere_setup", "test_everywhere_call", "test_everywhere_teardown"),
        BOTH,
        (lost(115),),
        "lose_everywhere",
        times=3,
    ),
)
_NOT_FOLLOWED = "not followed: what a test starts is not checked"
LIMITS = (
    *(
        Row(
            what,
            place,
            (f"test_{place_in_name}[{function}_in_{place_in_name}]",),
            header,
            (),
            f"{function}_in_{place_in_name}",
            limit=_NOT_FOLLOWED,
        )
        for place, place_in_name in (("other program", "subprocess"), ("forked child", "fork"))
        for what, function, header in (
            ("invalid read", "read", ERROR),
            ("lost block", "lose", LEAK),
        )
    ),
    *(
        Row(what, _CALL, (f"test_limit[{function}]",), header, (), function, limit=limit)
        for what, function, header, limit in (
            (
                "block of which only a pointer to its middle is left",
                "lose_start",
                LEAK,
                "possibly lost, which is not looked for by default: so are CPython's objects",
            ),
            (
                "read past the end of an array on the stack",
                "read_past_array",
                ERROR,
                "memcheck knows the bounds of heap blocks only",
            ),
            (
                "PyMem_Malloc block freed by free",
                "free_other_domain",
                ERROR,
                "both are malloc's, as valgrind would not see the blocks otherwise",
            ),
        )
    ),
    Row(
        "memcpy to where it is from",
        _CALL,
        ("test_limit[memcpy_overlapping]",),
        ERROR,
        (),
        "memcpy_overlapping",
        limit="glibc has one function for memcpy and memmove, and valgrind takes it for memmove",
        varies=True,
    ),
)
ROWS = (*ERRORS, *LEAKS, *PLACES, *LIMITS)


def run_planted(directory: Path) -> Run:
    """Build the extension and run the suite, in an empty directory."""
    extension, tests = directory / "extension", directory / "tests"
    extension.mkdir()
    tests.mkdir()
    build_extension(HERE / "extensions" / "flaws.c", extension, *FLAGS)
    made = Suite(tests, extension)
    made.write("pytest.ini", INI)
    made.copy(SUITES / "planted")
    return made.run("--valgrind", "--doctest-modules", "--strict-markers")


def not_passed(run: Run) -> set[str]:
    """Return the tests and modules that did not pass or run, though no row says that they fail."""
    ran = run.cases
    may_fail = {name for row in ROWS for name in (row.tests if row.varies else row.fails)}
    missing = {name for row in ROWS for name in row.tests}.difference(ran)
    failed = {name for name, case in ran.items() if case.outcome != "passed"}
    return missing | (failed - may_fail)


def miscounted(run: Run) -> set[str]:
    """Return the tests that failed for more leaks, or fewer, than they have."""
    planted = Counter(name for row in ROWS if row.is_leak for name in row.fails)
    vary = {name for row in ROWS if row.varies for name in row.tests}
    return {
        name
        for name, case in run.cases.items()
        if case.message.count(_LOST) != planted[name] and name not in vary
    }


def judge(row: Row, run: Run) -> Judged:
    """Compare a row with what was reported."""
    naming = {name for name, case in run.cases.items() if row.function in _named(case.text)}
    right = {
        name
        for name in row.tests
        if name in run.cases
        and run[name].text.startswith(row.header)
        and all(words in run[name].text for words in row.words)
    }
    return Judged(
        row,
        found=frozenset(right),
        blamed=frozenset(naming.difference(row.tests)),
        named=frozenset(naming.intersection(row.tests)),
        is_listed=bool(row.listed) and _is_listed(row, run.summary),
    )


def _named(report: str) -> set[str]:
    """Return the functions of the extension's in the stacks of a report."""
    return set(_NAMED.findall(report))


def _is_listed(row: Row, summary: list[str]) -> bool:
    """Whether the summary has the function below a heading."""
    starts = [n for n, line in enumerate(summary) if line.startswith(f"{row.listed}:")]
    for line in summary[starts[0] + 1 :] if starts else ():
        if not line.startswith("  "):
            break
        if f": {row.function} (flaws.c:" in line:
            return True
    return False
