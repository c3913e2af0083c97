#include "requests.h"

#include <stdint.h>

#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

#include "frames.h"
#include "heapcheck.h"

unsigned
pvg_running_on_valgrind(void)
{
    return RUNNING_ON_VALGRIND;
}

int
pvg_running_on_memcheck(void)
{
    char byte = 0;
    unsigned char vbits = 0;
    /* 1: done; 0: no tool that knows the request. */
    return VALGRIND_GET_VBITS(&byte, &vbits, 1) == 1;
}

unsigned
pvg_count_errors(void)
{
    return VALGRIND_COUNT_ERRORS;
}

void
pvg_leak_check(void)
{
    VALGRIND_DO_ADDED_LEAK_CHECK;
}

pvg_leaks
pvg_count_leaks(void)
{
    pvg_leaks leaks;
    VALGRIND_COUNT_LEAKS(leaks.leaked, leaks.dubious, leaks.reachable,
                         leaks.suppressed);
    return leaks;
}

void
pvg_print(const char *text)
{
    VALGRIND_PRINTF("%s\n", text);
}

FRAME void
pvg_print_stack(int calls)
{
    if (calls > 0) {
        pvg_print_stack(calls - 1);
    } else {
        VALGRIND_PRINTF_BACKTRACE("A stack, to see how deep valgrind looks:\n");
    }
    STAY(calls);
}

void
pvg_change_option(const char *option)
{
    VALGRIND_CLO_CHANGE(option);
}

static int logs_forks;

void
pvg_log_forks(int all)
{
    logs_forks = all;
    pvg_log_forks_as_before();
}

void
pvg_log_next_fork(void)
{
    pvg_change_option("--child-silent-after-fork=no");
}

void
pvg_log_forks_as_before(void)
{
    pvg_change_option(logs_forks ? "--child-silent-after-fork=no"
                                 : "--child-silent-after-fork=yes");
}

void
pvg_monitor_command(const char *command)
{
    (void)VALGRIND_MONITOR_COMMAND(command);
}

int
pvg_is_readable(const void *address, unsigned long size)
{
    unsigned char bits[64];
    const pvh_engine *heap = pvg_heap();
    if (heap != NULL) {
        return (uintptr_t)address % sizeof(void *) == 0 && heap->is_readable(address, size);
    }
    return (uintptr_t)address % sizeof(void *) == 0 && size <= sizeof bits
           && VALGRIND_GET_VBITS(address, bits, size) == 1;
}

int
pvg_is_written(const void *address, unsigned long size)
{
    unsigned char bits[64] = {0};
    if (!pvg_is_readable(address, size)) {
        return 0;
    }
    /* Natively, what was freed is full of zeros. */
    if (pvg_heap() == NULL && VALGRIND_GET_VBITS(address, bits, size) != 1) {
        return 0;
    }
    unsigned char unwritten = 0;
    for (unsigned long i = 0; i < size; i++) {
        unwritten |= bits[i];
    }
    return !unwritten;
}
