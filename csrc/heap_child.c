/* For sigaction's ucontext_t and syscall. */
#define _GNU_SOURCE
#include "heap_child.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "heap.h"
#include "heap_check.h"
#include "heap_child_python.h"
#include "heap_events.h"
#include "heap_guards.h"
#include "heap_options.h"
#include "heap_quarantine.h"
#include "heap_report.h"
#include "heap_threads.h"

/* Set until the process that runs the tests has begun with them. */
#define LAUNCHED "PYTEST_VALGRIND_DIRECTORY"

int pvh_is_child;
uint32_t pvh_number_of_child = UINT32_MAX - 2;
static int is_fork;
static int was_checked;
static char directory[PATH_MAX];
/* A process made by vfork(2) shares the memory, and is not the child that this is about. */
static pid_t own_id;

static int
is_this(void)
{
    return pvh_is_child && pvh_mode_now == PVH_TRACKS && getpid() == own_id;
}

/* --- Signals by which the processor and the kernel say that a program is wrong (signal(7)),
   and abort(); the others are sent by somebody who wants it to end. --- */

static const int FAULTS[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};

static uintptr_t
stopped_at(const void *context)
{
    const ucontext_t *registers = context;
#if defined(__x86_64__)
    return (uintptr_t)registers->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)registers->uc_mcontext.pc;
#else
    (void)registers;
    return 0;
#endif
}

static void
report_fault(int number, siginfo_t *unused, void *context)
{
    (void)unused;
    if (is_this()) {
        pvh_report_signal(number, stopped_at(context));
    }
    /* The handler was taken away when it was called. */
    raise(number);
}

static void
watch_faults(void)
{
    struct sigaction ours = {
        .sa_sigaction = report_fault,
        .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER | SA_ONSTACK,
    };
    /* In a fork of the process that runs tests, Python's faulthandler, which has this signal as
       well, writes to where the stack of that process is looked for. What tests have set stays. */
    struct sigaction of_faulthandler = {.sa_handler = SIG_DFL};
    if (is_fork) {
        sigaction(SIGBUS, NULL, &of_faulthandler);
    }
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        struct sigaction before;
        if (sigaction(FAULTS[i], NULL, &before) == 0
            && (before.sa_handler == SIG_DFL
                || before.sa_handler == of_faulthandler.sa_handler)) {
            sigaction(FAULTS[i], &ours, NULL);
        }
    }
}

/* --- The beginning --- */

static void
begin(void)
{
    own_id = getpid();
    was_checked = 0;
    pvh_is_child = 1;
    pvh_report_in(directory);
}

void
pvh_begin_program(void)
{
    const char *named = getenv(PVH_CHILDREN);
    if (named == NULL || getenv(LAUNCHED) != NULL || strlen(named) >= sizeof directory) {
        return;
    }
    strcpy(directory, named);
    begin();
    pvh_report_program();
    watch_faults();
    if (!pvh_wait_for_python()) {
        pvh_test_of_thread = pvh_number_of_child;
    }
}

void
pvh_begin_python(void)
{
    pvh_test_of_thread = pvh_number_of_child;
}

void
pvh_follow_forks(const char *named)
{
    directory[0] = '\0';
    if (named != NULL && strlen(named) < sizeof directory) {
        strcpy(directory, named);
    }
}

void
pvh_begin_fork(void)
{
    if (directory[0] == '\0') {
        return;
    }
    is_fork = 1;
    /* What its parent has overwritten is put right, and with what it has seen forgotten: what is
       seen from here on, the fork has done. */
    pvh_look_at_red_zones(PVH_ANY_TEST);
    pvh_look_at_all_held();
    pvh_event seen;
    while (pvh_take_events(&pvh_events_of_process, &seen, 1) > 0) {
    }
    begin();
    pvh_report("fork\t%d", (int)getppid());
    watch_faults();
    pvh_number_of_child--;
    pvh_test_of_thread = pvh_number_of_child;
}

void
pvh_begin_any_fork(void)
{
    pvh_forget_checks();
    /* Of those of Python, most are to execute a program at once. */
    if (pvh_is_child && !pvh_has_python()) {
        pvh_begin_fork();
    }
}

/* --- The end --- */

void
pvh_report_check(int which)
{
    if (!is_this()) {
        return;
    }
    const pvh_lost *lost;
    size_t count = pvh_lost_of(which, &lost);
    for (size_t i = 0; i < count; i++) {
        pvh_report_lost(&lost[i]);
    }
    if (pvh_account_of(which).unlisted > 0) {
        pvh_report("more");
    }
    const char *text;
    size_t length = pvh_text_of(which, &text);
    pvh_report_said(text, length);
    pvh_event event;
    while (pvh_take_events_of(which, &event, 1) > 0) {
        pvh_report_event(&event);
    }
}

/* In a clone: nobody takes it for a process that the program has started. */
static int
check(void)
{
    enum { PLACE = 0 };
    if (pvh_prepare_check(PLACE) < 0) {
        return 0;
    }
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t clone = (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
    if (clone == 0) {
        pvh_enter_clone(PLACE);
        pvh_find_lost();
        syscall(SYS_exit_group, 0);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    while (clone > 0 && waitpid(clone, NULL, __WCLONE) < 0 && errno == EINTR) {
    }
    if (clone < 0 || !pvh_is_done(PLACE)) {
        return 0;
    }
    pvh_report_check(PLACE);
    return 1;
}

__attribute__((noinline)) void
pvh_end_child(int is_end_of_python)
{
    if (!is_this() || was_checked) {
        return;
    }
    int error = errno;
    /* Of the callers, and the registers that this function has saved for them: what lies in frames
       further down is left from earlier calls. */
    enum { SAVED_REGISTERS = 6 };
    uintptr_t stack = (uintptr_t)__builtin_frame_address(0) - SAVED_REGISTERS * sizeof stack;
    /* A fork of Python ends deep in calls, as amid a test, and what it made is in Python's frames.
       Of an interpreter at its end, the text of `-c` is in one of C alone. */
    pvh_have_stack_keep(is_fork && pvh_has_python() ? 0 : stack);
    was_checked = 1;
    pvh_set_test(0);
    /* Its own part of the check is missing where the package is not installed. */
    int is_done = (pvh_has_python() && pvh_check_python(is_end_of_python)) || check();
    pvh_report(is_done ? "checked" : "unchecked");
    errno = error;
}

__attribute__((destructor)) static void
end(void)
{
    /* What an interpreter loses when it takes itself apart is not looked for. */
    if (!pvh_has_python()) {
        pvh_end_child(0);
    }
}

/* exit(3) does not come by here. */
__attribute__((visibility("default"), noreturn)) void
_exit(int code)
{
    pvh_end_child(0);
    for (;;) {
        syscall(SYS_exit_group, code);
    }
}
