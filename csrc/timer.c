/* For gettid and SIGEV_THREAD_ID. */
#define _GNU_SOURCE
#include "timer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <valgrind/valgrind.h>

#include "frames.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static timer_t timer;
static pvg_handler write_python_stacks, tell_python;
static int parent_reports;
static char words_above[256];
static double seconds_of_grace;
static volatile sig_atomic_t is_unheard;

static void
set(int flags, double seconds)
{
    time_t whole = (time_t)seconds;
    struct itimerspec when = {
        .it_value = {.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)},
    };
    timer_settime(timer, flags, &when, NULL);
}

/* In a stack, its frame is right above what was interrupted. */
FRAME void pvg_timer_expired(int signal);
FRAME void
pvg_timer_expired(int signal)
{
    int error = errno;
    if (is_unheard) {
        pvg_end_hung_process();
    }
    is_unheard = 1;
    set(0, seconds_of_grace);
    VALGRIND_PRINTF_BACKTRACE("%s\n", words_above);
    /* Frames of the interpreter may be incomplete when they are read. */
    VALGRIND_DISABLE_ERROR_REPORTING;
    write_python_stacks(signal);
    VALGRIND_ENABLE_ERROR_REPORTING;
    tell_python(signal);
    errno = error;
}

pvg_handler
pvg_handler_of(int signal)
{
    struct sigaction known;
    return sigaction(signal, NULL, &known) == 0 ? known.sa_handler : NULL;
}

int
pvg_create_timer(int signal, pvg_handler write_stacks, pvg_handler tell_interpreter,
                 int is_watched)
{
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal;
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) {
        return errno;
    }
    write_python_stacks = write_stacks;
    tell_python = tell_interpreter;
    parent_reports = is_watched;
    /* Not SA_RESTART: a system call that waits shall return. */
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = pvg_timer_expired;
    sigaction(signal, &action, NULL);
    return 0;
}

void
pvg_delete_timer(void)
{
    timer_delete(timer);
}

void
pvg_set_timer(double deadline, double grace, const char *words)
{
    is_unheard = 0;
    seconds_of_grace = grace;
    snprintf(words_above, sizeof words_above, "%s", words);
    set(TIMER_ABSTIME, deadline);
}

void
pvg_stop_timer(void)
{
    set(0, 0);
    is_unheard = 0;
}

void
pvg_end_hung_process(void)
{
    if (!parent_reports) {
        /* pytest's handler prints Python's stack. */
        raise(SIGABRT);
    }
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
}
