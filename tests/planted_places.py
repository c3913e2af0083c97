"""Planted defects in every place where a test, or something around it, may run code."""

from __future__ import annotations

from planted_rows import BOTH, CALL, ERROR, LEAK, Row, both, lost

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
        Row(what, CALL, (f"test_limit[{function}]",), header, (), function, limit=limit)
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
        CALL,
        ("test_limit[memcpy_overlapping]",),
        ERROR,
        (),
        "memcpy_overlapping",
        limit="glibc has one function for memcpy and memmove, and valgrind takes it for memmove",
        varies=True,
    ),
)
