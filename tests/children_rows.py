"""The tests of tests/suites/children, and what becomes of each under valgrind."""

from __future__ import annotations

LEAK = "[VALGRIND LEAK]"
ERROR = "[VALGRIND ERROR]"
BOTH = "[VALGRIND ERROR+LEAK]"
#: By test: the header of its failure, and words and a stack frame that stand in it.
FAILED = {
    "test_python_error": (ERROR, "2 times", "read_past_end (defective.c"),
    "test_python_uninitialised": (ERROR, "Conditional jump", "> decide_uninitialised (defective.c"),
    "test_python_leak": (LEAK, "41 bytes in 1 block is definitely lost", "> leak (defective.c"),
    "test_python_leaked_reference": (LEAK, "definitely lost", "unicode"),
    "test_python_exits_at_once": (LEAK, "42 bytes in 1 block", "> leak (defective.c"),
    "test_python_without_environment": (ERROR, "Invalid write", "write_after_free (defective.c"),
    "test_program_error_and_leak": (BOTH, "44 bytes in 1 block", "> leak (program.c"),
    "test_program_crash": (ERROR, "Process terminating", "> main (program.c"),
    "test_program_of_shell": (LEAK, "44 bytes in 1 block", "> leak (program.c"),
    "test_fork_error": (ERROR, "Invalid write", "> write_after_free (defective.c"),
    "test_fork_error_of_parent": (ERROR, "2 times", "> read_past_end (defective.c"),
    "test_fork_leak": (LEAK, "10 bytes in 1 block", "> leak (defective.c"),
    "test_fork_crash": (ERROR, "Process terminating", "> crash (defective.c"),
    "test_fork_of_fork": (LEAK, "60 bytes in 1 block", "> leak_below (defective.c"),
    "test_grandchild": (LEAK, "43 bytes in 1 block", "> leak (defective.c"),
    "test_worker_fork_error": (ERROR, "Conditional jump", "> decide_uninitialised (defective.c"),
    "test_worker_fork_leak": (LEAK, "10 bytes in 1 block", "> leak (defective.c"),
    "test_worker_spawn_error": (ERROR, "Invalid write", "> write_after_free (defective.c"),
    "test_own_and_child": (LEAK, "17 bytes in 1 block", "44 bytes in 1 block"),
}
PASSED = (
    "test_python_clean",
    "test_program_clean",
    "test_system_clean",
    "test_terminated_clean",
    "test_valgrind_of_its_own",
    "test_fork_clean",
    "test_fork_after_error_clean",
    "test_workers_clean",
    "test_clean_at_the_end",
)


#: They start several interpreters, or are of a kind with others: they are of the slow tests.
SELDOM = (
    *("test_python_uninitialised", "test_python_leaked_reference", "test_python_exits_at_once"),
    *("test_program_of_shell", "test_grandchild", "test_worker_fork_error"),
    *("test_worker_spawn_error", "test_workers_clean", "test_valgrind_of_its_own"),
)
CHOSEN = [name for name in FAILED if name not in SELDOM]
CHOSEN_PASSED = [name for name in PASSED if name not in SELDOM]
