/* For sigaction and sigsetjmp. */
#define _GNU_SOURCE
#include "heap_readable.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap_ranges.h"

enum { PAGE = 4096 };
static const int FAULTS[] = {SIGSEGV, SIGBUS};
enum { MOST_FAULTS = sizeof FAULTS / sizeof *FAULTS };

static sigjmp_buf before_read;

static void
give_up(int signal)
{
    (void)signal;
    siglongjmp(before_read, 1);
}

uintptr_t
pvh_next_page(uintptr_t address)
{
    return (address & ~(uintptr_t)(PAGE - 1)) + PAGE;
}

/* No more than this is done while a fault jumps back: what is in a register then is lost. */
__attribute__((noinline)) static void
touch(uintptr_t end, volatile uintptr_t *reached)
{
    if (sigsetjmp(before_read, 0) == 0) {
        while (*reached < end) {
            (void)*(const volatile unsigned char *)*reached;
            *reached = pvh_next_page(*reached);
        }
    }
}

uintptr_t
pvh_readable_up_to(uintptr_t start, uintptr_t end)
{
    struct sigaction action = {.sa_handler = give_up, .sa_flags = SA_NODEFER};
    struct sigaction before[MOST_FAULTS];
    sigset_t faults, mask;
    sigemptyset(&action.sa_mask);
    sigemptyset(&faults);
    for (int i = 0; i < MOST_FAULTS; i++) {
        sigaddset(&faults, FAULTS[i]);
        sigaction(FAULTS[i], &action, &before[i]);
    }
    sigprocmask(SIG_UNBLOCK, &faults, &mask);
    volatile uintptr_t reached = start;
    touch(end, &reached);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    for (int i = 0; i < MOST_FAULTS; i++) {
        sigaction(FAULTS[i], &before[i], NULL);
    }
    return reached < end ? reached : end;
}

/* The kernel reads a set of signals before it finds that nothing is to be done with it
   (rt_sigprocmask(2), kernel/signal.c). A list of what is mapped would be out of date at once. */
static int
is_word_readable(uintptr_t address)
{
    enum { WORD = 8, DO_NOTHING = -1 };
    uintptr_t word = address & ~(uintptr_t)(WORD - 1);
    /* NULL stands for no set, which is not read. */
    return word != 0 && syscall(SYS_rt_sigprocmask, DO_NOTHING, word, NULL, WORD) != 0
           && errno != EFAULT;
}

/* An emulator (qemu-user) does not read the set. In the first page there is nothing to read. */
static int
kernel_tells(void)
{
    enum { UNKNOWN, YES, NO };
    static int tells;
    if (tells == UNKNOWN) {
        tells = is_word_readable(sizeof(uintptr_t)) ? NO : YES;
    }
    return tells == YES;
}

static int
is_in_range(uintptr_t start, size_t size)
{
    const pvh_range *range = pvh_read_ranges() < 0 ? NULL : pvh_range_with(start);
    return range != NULL && size <= range->end - start;
}

int
pvh_is_readable(const void *address, size_t size)
{
    uintptr_t start = (uintptr_t)address, end;
    if (size == 0 || __builtin_add_overflow(start, size, &end)) {
        return 0;
    }
    int error = errno, is_readable = 1;
    if (!kernel_tells()) {
        is_readable = is_in_range(start, size);
        end = start;
    }
    for (uintptr_t next = start; is_readable && next < end; next = pvh_next_page(next)) {
        is_readable = is_word_readable(next);
    }
    errno = error;
    return is_readable;
}
