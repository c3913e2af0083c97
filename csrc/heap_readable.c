/* For sigaction and sigsetjmp. */
#define _GNU_SOURCE
#include "heap_readable.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

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
