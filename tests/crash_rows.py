"""The crashes of tests/suites/crashes/test_crash_kinds.py and others, and how each is reported."""

from __future__ import annotations

#: Of tests/suites/crashes/test_crash_kinds.py: how the process dies in which test.
KINDS = {
    "test_segmentation_fault": "died of SIGSEGV",
    "test_abort": "died of SIGABRT",
    "test_fatal_error": "died of SIGABRT",
    "test_terminate": "died of SIGABRT",
    "test_bus_error": "died of SIGBUS",
    "test_floating_point_exception": "died of SIGFPE",
    "test_killed": "died of SIGKILL",
    "test_exit": "exited early with code 3",
    "test_setup": "died of SIGSEGV",
    "test_teardown": "died of SIGSEGV",
}
#: What the stack of the death must show; SIGKILL and os._exit leave none.
FRAMES = {
    "test_segmentation_fault": "  > crash (defective.c:",
    "test_abort": "  > abort_process (defective.c:",
    "test_fatal_error": "    ffi_call (in ",
    "test_terminate": "    std::terminate() (in ",
    "test_bus_error": "default action of signal 7 (SIGBUS)\n    ",
    "test_floating_point_exception": "  > divide_by_zero (defective.c:",
    "test_setup": "  > crash (defective.c:",
    "test_teardown": "  > crash (defective.c:",
}
#: A module in which the process dies outside a test, by when that is, and the words of the report.
ELSEWHERE = {
    "at import": (
        "import defective\ndefective.crash()\ndef test_before(): pass\n",
        "It happened while test_dies.py was collected.",
    ),
    "at exit": (
        "import atexit, defective\ndef test_before(): atexit.register(defective.crash)\n",
        "It happened after the last test, when the process came to its end.",
    ),
}
