"""The cffi description of the compiled module ``pytest_valgrind._client``."""

from cffi import FFI

CONCEPTS = ("requests", "allocator", "frames", "defects")

ffibuilder = FFI()
ffibuilder.cdef(
    """
    typedef struct {
        unsigned long leaked;
        unsigned long dubious;
        unsigned long reachable;
        unsigned long suppressed;
    } pvg_leaks;

    unsigned pvg_running_on_valgrind(void);
    int pvg_running_on_memcheck(void);
    unsigned pvg_count_errors(void);
    void pvg_leak_check(void);
    pvg_leaks pvg_count_leaks(void);
    void pvg_print(const char *text);
    void pvg_change_option(const char *option);
    void pvg_monitor_command(const char *command);

    int pvg_one_block_per_object(void);

    void pvg_inside_test(void *callable);
    void pvg_outside_tests(void *callable);

    unsigned long create_leak(void);
    bool access_invalid(void);
    """
)
ffibuilder.set_source(
    "pytest_valgrind._client",
    "".join(f'#include "{concept}.h"\n' for concept in CONCEPTS),
    sources=[f"csrc/{concept}.c" for concept in CONCEPTS],
    include_dirs=["csrc"],
    # A stack frame with file and line is what the whole project is about.
    extra_compile_args=["-g"],
)
