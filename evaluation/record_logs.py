"""Make the logs of tests/logs anew, with the valgrind of this machine and those of newer Debians.

    python evaluation/record_logs.py [--roots DIR]

The programs of tests/extensions that have defects on purpose are compiled and run on this machine
and in the root folders DIR/trixie and DIR/sid, as far as they are there: debootstrap makes them,
with valgrind, gcc, g++ and libc6-dbg. Needs root for these, and takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from environments import REPOSITORY, BuildError, run_or_raise, say

SOURCES = REPOSITORY / "tests" / "extensions"
LOGS = REPOSITORY / "tests" / "logs"
#: The root folders to use, beside this machine.
RELEASES = ("trixie", "sid")
#: Where the programs are, in each root folder: the logs name it.
WORK = Path("/tmp/pytest-valgrind-logs")

_C = "-O2 -fno-builtin -fno-optimize-sibling-calls -Wall -Wextra -Werror"
_BUILDS = (
    f"cc {_C} -g kinds.c -o kinds",
    f"cc {_C} -s kinds.c -o kinds-stripped",
    f"cc {_C} -s -shared -fPIC -DLIBRARY kinds.c -o libstripped.so",
    f"cc {_C} -g -shared -fPIC -DLIBRARY kinds.c -o libunloaded.so",
    f"c++ {_C} -std=c++20 -g names.cpp -o names",
    f"c++ {_C} -std=c++20 names.cpp -o names-without-lines",
)
# Rust's programs are compiled on this machine, for all: they need little of a C library.
_RUST = {
    "names-rust": "-g -C symbol-mangling-version=v0",
    "names-rust-without-lines": "-C strip=debuginfo",
}
_ODD_LIBRARY = "lib odd (1): in x.so"
_SUPPRESSIONS = """\
{
   ours (the first): x
   Memcheck:Addr1
   fun:read_freed
}
{
   ours, of leaks
   Memcheck:Leak
   ...
   fun:leak_definitely
}
"""

_BASIC = "--num-callers=12 --vgdb=no --log-file=run.log"
_OURS = "--suppressions=ours.supp"
# Every loss record counts as an error, so that valgrind's own count is that of the log.
_LEAKS = "--leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all"
_SECONDS = 900
_ALIKE = re.compile(rb"==\d+== \n==\d+== Conditional jump")

_ACCESSES = """
    read_1_past_end read_2_past_end read_4_past_end read_8_past_end read_16_past_end
    write_1_past_end write_2_past_end write_4_past_end write_8_past_end
    read_before_start read_past_redzone read_far_past_end
    read_freed write_freed read_reallocated read_recycled
    read_below_stack read_frame read_symbol read_null write_nowhere read_protected
    read_mapped_file read_shared read_data_segment read_past_data_segment
    measure_unended use_large_frame
"""
_FREES = """
    free_twice free_inside free_frame free_symbol free_code free_constant free_mapped
    realloc_freed realloc_to_nothing reallocarray_to_nothing
    free_sized_wrongly free_aligned_sized_wrongly
    allocate_fishily align_oddly align_nothing copy_overlapping
"""
_VALUES = """
    decide_heap decide_stack decide_request decide_data_segment decide_inlined decide_deep
    decide_in_oddly_named_file use_as_index use_as_address print_uninitialised
    write_uninitialised write_unaddressable write_vector send_uninitialised read_into_freed
    open_uninitialised close_uninitialised check_defined check_addressable
"""
_REQUESTS = "read_named_block read_pool_block free_unknown_pool"
_LIBRARIES = "call_stripped call_oddly_named leak_in_unloaded"
_LEAKING = """
    leak_definitely leak_nothing leak_much leak_chain leak_possibly keep check_all_leaks
    leak_definitely leak_chain check_added_leaks
    leak_definitely leak_in_thread check_new_leaks
    lose_kept leak_chain check_changed_leaks
    find_lost check_changed_leaks
    free_kept check_changed_leaks check_leaks_quickly
"""
_THREADS = """
    take_turns decide_in_thread decide_heap decide_in_named_thread name_main_thread decide_stack
    leak_in_thread
"""
_MESSAGES = """
    print_messages read_freed print_messages print_backtrace print_backtrace_then_err
    print_backtrace_without_end write_freed decide_in_thread print_backtrace decide_heap
    print_unended_then_err
"""
_WARNINGS = "warn_of_calls map_much grow_data_segment use_large_frame unmask_exceptions decide_heap"
_DESCRIPTORS = "forget_descriptors close_twice use_closed use_never_opened"
_CRASHES = (
    *("abort", "terminate", "divide_by_zero", "undefined_instruction", "unknown_instruction"),
    *("read_null", "write_constant", "read_non_canonical", "read_past_file", "call_null"),
    *("call_freed", "read_below_unknown_stack", "read_guard_in_thread", "overflow_stack"),
    *("overflow_thread_stack", "dump_core"),
)
_SOME = """
    decide_heap decide_heap decide_inlined read_freed print_backtrace_then_err take_turns
    decide_in_thread keep leak_definitely check_added_leaks leak_definitely leak_chain
    check_added_leaks list_errors fork_and_err
"""
_CALLS = "call_functions call_lambdas call_templates"
_NAMES = f"""
    {_CALLS} free_new delete_malloced delete_array_as_one delete_one_as_array delete_twice
    delete_with_wrong_size delete_with_wrong_alignment new_with_wrong_alignment new_fishily
    leak_objects keep_array
"""
_PLACES = "decide_heap decide_in_oddly_named_file read_freed print_uninitialised decide_in_thread"


@dataclass(frozen=True)
class Run:
    """A run of one of the programs; each log is made of one or several.

    :param words: the program and its words.
    :param options: valgrind's, beside those that are common to all.
    :param since: the first version of valgrind that knows the options.
    """

    words: str
    options: str = ""
    since: tuple[int, int] = (3, 0)


RUNS = {
    "plain": (
        Run(f"./kinds survive {_ACCESSES}"),
        Run(f"./kinds {_FREES}"),
        Run(f"./kinds {_VALUES} {_REQUESTS} {_LIBRARIES}", _LEAKS),
        Run(f"./kinds {_LEAKING}", _LEAKS),
    ),
    "processes": (
        Run(f"./kinds {_THREADS}", _LEAKS),
        Run("./kinds fork_and_err fork_and_crash fork_and_err_together", _LEAKS),
        # What is executed begins its log from the start, so it must have one of its own.
        Run("./kinds fork_and_execute", "--trace-children=yes --log-file=run-%p.log"),
        Run("./kinds fork_and_err", "--child-silent-after-fork=yes"),
    ),
    "crashes": (
        *(Run(f"./kinds {word}") for word in _CRASHES),
        Run("./kinds decide_in_named_thread abort", "-q"),
        Run("./kinds survive read_null write_constant divide_by_zero call_freed decide_heap"),
        Run("./kinds leak_definitely overlap_blocks"),
        Run("./kinds read_freed write_freed", "--exit-on-first-error=yes --error-exitcode=3"),
    ),
    "messages": (
        Run(f"./kinds {_MESSAGES}"),
        Run(f"./kinds {_WARNINGS}", "--show-emwarns=yes"),
        Run("./kinds decide_heap leak_definitely list_errors ask_monitor", "--track-fds=yes"),
    ),
    "descriptors": (
        Run(f"./kinds {_DESCRIPTORS} decide_heap", "--track-fds=yes"),
        Run("./kinds forget_descriptors close_twice list_errors", "-q --track-fds=all -s"),
        Run("./kinds close_inherited_twice", "--track-fds=yes"),
        Run(f"./kinds {_DESCRIPTORS}", "--track-fds=bad", since=(3, 26)),
    ),
    "names": (
        Run(f"./names {_NAMES}", f"{_LEAKS} --num-callers=6"),
        Run(f"./names-without-lines {_CALLS} call_virtually use_operators", "--num-callers=3"),
        Run("./names-rust", f"{_LEAKS} --num-callers=3"),
        Run("./names-rust-without-lines", f"{_LEAKS} --num-callers=4"),
    ),
    "origins": (Run(f"./kinds {_VALUES}", "--track-origins=yes"),),
    "times": (Run(f"./kinds {_SOME}", f"--time-stamp=yes {_LEAKS}"),),
    "markers": (
        Run(f"./kinds {_SOME} read_null", f"--error-markers=BEGIN,END {_LEAKS}"),
        Run(f"./kinds {_DESCRIPTORS}", "--error-markers=BEGIN,END --track-fds=yes"),
        Run(
            "./kinds decide_heap leak_definitely list_errors", f"--error-markers=BEGIN -s {_LEAKS}"
        ),
    ),
    "suppressions": (
        Run(f"./kinds {_SOME} allocate_fishily align_oddly", f"--gen-suppressions=all {_LEAKS}"),
        Run(f"./kinds {_DESCRIPTORS}", "--gen-suppressions=all --track-fds=all"),
        Run("./names call_templates new_with_wrong_alignment", "--gen-suppressions=all"),
    ),
    "verbose": (Run(f"./kinds {_SOME} {_LIBRARIES} map_much", f"-v {_OURS} {_LEAKS}"),),
    "list": (
        Run(f"./kinds {_SOME}", f"-s {_OURS} {_LEAKS}"),
        Run("./kinds read_freed decide_heap leak_definitely", f"-s -s {_OURS} {_LEAKS}"),
        Run("./kinds read_freed decide_heap", f"--show-error-list=all {_OURS}", since=(3, 21)),
    ),
    "frames": (
        Run(f"./kinds {_PLACES} {_LIBRARIES}", f"--fullpath-after= {_LEAKS}"),
        Run(f"./kinds {_LIBRARIES} decide_inlined", f"--sym-offsets=yes {_LEAKS}"),
        Run("./kinds leak_in_unloaded", f"--keep-debuginfo=yes {_LEAKS}"),
        Run("./kinds decide_inlined decide_in_thread", "--show-below-main=yes"),
        Run("./kinds-stripped decide_inlined decide_in_thread read_symbol free_code"),
        Run("./kinds decide_inlined", "--read-inline-info=no --num-callers=2"),
        Run("./kinds read_freed realloc_freed", "--keep-stacktraces=none"),
        Run("./kinds read_frame read_symbol write_uninitialised", "--read-var-info=yes"),
        Run("./names call_templates", "--demangle=no"),
    ),
    "limits": (
        Run("./kinds err_1024_times", "--num-callers=2"),
        Run("./kinds err_on_and_on", "--num-callers=2"),
    ),
}


@dataclass(frozen=True)
class Root:
    """The root folder of a system."""

    directory: Path

    @property
    def work(self) -> Path:
        """The folder of the programs, seen from outside."""
        return self.directory / WORK.relative_to("/")

    def command(self, words: str) -> list[str]:
        """Return what runs a command there, in the folder of the programs."""
        command = ["env", "-i", "-C", str(WORK), f"PATH={os.defpath}", "LC_ALL=C", *words.split()]
        if self.directory == Path("/"):
            return command
        # Valgrind needs /proc. In a namespace of its own it is gone with the process.
        mounts = ["unshare", "--mount", f"--mount-proc={self.directory / 'proc'}"]
        return [*mounts, "chroot", str(self.directory), *command]

    def build(self) -> None:
        """Compile the programs.

        :raises BuildError: if that fails.
        """
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        for name in ("kinds.c", "names.cpp", "names.rs"):
            shutil.copy(SOURCES / name, self.work)
        (self.work / "ours.supp").write_text(_SUPPRESSIONS)
        for words in _BUILDS:
            run_or_raise(self.command(words))
        shutil.copy(self.work / "libstripped.so", self.work / _ODD_LIBRARY)

    def version(self) -> tuple[int, int]:
        """Return valgrind's version.

        :raises BuildError: if there is none.
        """
        output = run_or_raise(self.command("valgrind --version"))
        if found := re.search(r"valgrind-(\d+)\.(\d+)", output):
            return int(found[1]), int(found[2])
        raise BuildError(f"{self.directory} has no valgrind: {output}")

    def log(self, run: Run) -> bytes:
        """Run a program under valgrind and return its log.

        :raises BuildError: if there is none.
        """
        for file in self.work.glob("run*.log*"):
            file.unlink()
        done = subprocess.run(
            self.command(f"valgrind {_BASIC} {run.options} {run.words}"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
        logs = sorted(self.work.glob("run*.log"))
        # No exit code is wrong: most of these programs crash, one way or another.
        if not logs or "valgrind:" in done.stderr or "nothing that this" in done.stderr:
            raise BuildError(f"{run} in {self.directory}: {done.stderr}")
        return b"".join(file.read_bytes() for file in logs)


def main() -> int:
    """Make the logs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roots", type=Path, default=Path("/tmp/roots"))
    arguments = parser.parse_args()
    # Only one run is to leave a core file, and that one says so itself.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    LOGS.mkdir(exist_ok=True)
    here = Root(Path("/"))
    roots = [here]
    for release in RELEASES:
        if (arguments.roots / release / "usr/bin/valgrind").exists():
            roots.append(Root(arguments.roots / release))
        else:
            say(f"there is no {arguments.roots / release}")
    try:
        for root in roots:
            root.build()
        _add_rust(here, roots)
        for root in roots:
            _make_logs(root)
    finally:
        for root in roots:
            shutil.rmtree(root.work, ignore_errors=True)
    return 0


def _add_rust(here: Root, roots: Iterable[Root]) -> None:
    compiler = shutil.which("rustc") or shutil.which("rustc", path=Path.home() / ".cargo" / "bin")
    if compiler is None:
        say("there is no rustc, so the logs will be without Rust's names")
        return
    for name, options in _RUST.items():
        program = here.work / name
        words = [compiler, "--edition=2024", "-O", *options.split(), str(here.work / "names.rs")]
        run_or_raise([*words, "-o", str(program)])
        for root in roots:
            if root != here:
                shutil.copy(program, root.work)


def _make_logs(root: Root) -> None:
    version = root.version()
    for name, runs in RUNS.items():
        say(f"{version[0]}.{version[1]}-{name}")
        possible = [run for run in runs if run.since <= version and _exists(root, run)]
        log = b"".join(root.log(run) for run in possible)
        if name == "limits":
            log = _shortened(log)
        path = LOGS / f"{version[0]}.{version[1]}-{name}.log"
        path.write_bytes(log)


def _exists(root: Root, run: Run) -> bool:
    return (root.work / run.words.split()[0]).exists()


def _shortened(log: bytes) -> bytes:
    """Leave out most of a thousand errors that are all alike, those far from anything else."""
    paragraphs = re.split(rb"(?m)^(?===\d+== $)", log)
    alike = [bool(_ALIKE.match(paragraph)) for paragraph in paragraphs]
    return b"".join(
        paragraph
        for number, paragraph in enumerate(paragraphs)
        if not all(alike[max(number - 2, 0) : number + 3])
    )


if __name__ == "__main__":
    raise SystemExit(main())
