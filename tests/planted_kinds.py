"""Planted defects of every kind, in the call of a test."""

from __future__ import annotations

import sys

from planted_rows import CALL, ERROR, LEAK, LOST, Row, error, leak, lost

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
        CALL,
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
    leak("lose_str", "str", LOST),
    leak("lose_bytes", "bytes", LOST),
    leak("lose_int", "int", LOST),
    leak("lose_bytearray", "bytearray", LOST, "indirect"),
    leak(
        "lose_list",
        "list",
        LOST,
        "list: [1000, 1001]",
        nameless="CPython reuses the blocks of lists, and valgrind knows the first use",
    ),
    leak("lose_buffer", "bytearray, whose buffer is not released", LOST),
    leak("lose_thing", "object of an extension's type", LOST),
    leak(
        "lose_tuple",
        "tuple",
        LOST,
        nameless="CPython reuses the blocks of tuples, and valgrind knows the first use",
    ),
    Row(
        "lost tuple, in a new block",
        CALL,
        ("test_tuple_after_collection",),
        LEAK,
        (LOST,),
        "lose_tuple_after_collection",
    ),
    Row(
        "reference too many to a Python str",
        CALL,
        ("test_reference_too_many",),
        LEAK,
        (LOST, "nicode"),
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
