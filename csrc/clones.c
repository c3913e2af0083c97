/* For syscall. */
#define _GNU_SOURCE
#include "clones.h"

#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "heapcheck.h"
#include "lost_blocks.h"
#include "requests.h"

/* Shared by the process and its clones: no descriptor that a test could count,
   and nothing to read while the clone is at work. */
typedef struct {
    int may_check;
    int has_checked;
    unsigned long leaked;
} place;

static place *shared;
/* A fork has clones of its own. */
static pid_t sharing;

/* So that whoever waits for the end of a pipe, or for a port to become free,
   does not wait for the clone. */
static void
close_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        for (rlim_t descriptor = 0; descriptor < limit.rlim_max; descriptor++) {
            close((int)descriptor);
        }
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        int descriptor = atoi(entry->d_name);
        /* Valgrind's own are beyond the limit that it shows, and the
           directory's is nobody else's. */
        if (entry->d_name[0] != '.' && (rlim_t)descriptor < limit.rlim_max
            && descriptor != dirfd(directory)) {
            close(descriptor);
        }
    }
    /* What it has allocated would be lost, and the clone would tell. */
    closedir(directory);
}

/* At exit, valgrind would check once more and print its summaries; it also
   looks for SIGKILL in kill(), but not in this. */
static void
exit_silently(void)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGKILL;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGKILL, &info);
    pvg_change_option("--leak-check=no");
    _exit(0);
}

/* Ends a clone that has done nothing since the last time: it waits for a lock
   that a thread has which is not there. */
static void
end_if_idle(int unused)
{
    (void)unused;
    /* The handler itself takes a part of this. */
    static const clock_t nothing = CLOCKS_PER_SEC / 20;
    static clock_t last;
    clock_t now = clock();
    if (now - last < nothing) {
        exit_silently();
    }
    last = now;
}

/* Of processor time, for what is said about lost objects; an idle clone has three times as much. */
enum { SECONDS = 20 };

static void
unblock(int number, void (*handler)(int))
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    signal(number, handler);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void
limit_idleness(void)
{
    struct itimerval limit = {.it_value = {.tv_sec = 3 * SECONDS}};
    limit.it_interval = limit.it_value;
    unblock(SIGALRM, end_if_idle);
    setitimer(ITIMER_REAL, &limit, NULL);
}

/* Objects that have been lost may be broken, and looking at them go on for
   ever. What the clone has found by then is not lost. By processor time, as what
   is found must not depend on what else the machine does. */
static void
limit_time(void)
{
    struct itimerval limit = {.it_value = {.tv_sec = SECONDS}};
    unblock(SIGPROF, SIG_DFL);
    pvg_change_option("--leak-check=no");
    setitimer(ITIMER_PROF, &limit, NULL);
    limit_idleness();
}

static void
check_by_valgrind(place *own)
{
    pvg_leak_check();
    own->leaked = pvg_count_leaks().leaked;
    own->has_checked = 1;
}

static void
check(pid_t parent, int which, pvg_clone_work work)
{
    place *own = &shared[which];
    const pvh_engine *heap = pvg_heap();
    if (heap != NULL) {
        heap->enter_clone(which);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        close_descriptors();
        while (!__atomic_load_n(&own->may_check, __ATOMIC_ACQUIRE)) {
            syscall(SYS_futex, &own->may_check, FUTEX_WAIT, 0, NULL, NULL, 0);
        }
        if (heap != NULL) {
            limit_idleness();
        }
        if (work.prepare != NULL) {
            work.prepare(work.prepare_argument);
        }
        if (heap != NULL) {
            heap->find_lost();
            own->has_checked = heap->is_done(which);
        } else {
            check_by_valgrind(own);
        }
        if (work.explain != NULL) {
            limit_time();
            if (heap == NULL) {
                pvg_list_lost_blocks(work.log, work.offset);
            }
            work.explain(work.explain_argument);
        }
    }
    exit_silently();
}

int
pvg_clone_and_check(int which, int waits, pvg_clone_work work)
{
    pid_t parent = getpid();
    if (shared == NULL || sharing != parent) {
        void *page = mmap(NULL, PVG_CLONES * sizeof *shared, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) {
            return -1;
        }
        shared = page;
        sharing = parent;
    }
    if (pvg_heap() != NULL && pvg_heap()->prepare_check(which) < 0) {
        errno = ENOMEM;
        return -1;
    }
    shared[which] = (place){.may_check = !waits};
    sigset_t all, before;
    /* No handler of the program's may run in the clone. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pvg_log_next_fork();
    /* Without CLONE_ flags it is a fork; without a signal in the lowest byte
       its end goes unnoticed. The handlers of pthread_atfork do not run. */
    pid_t pid = (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
    int error = errno;
    if (pid == 0) {
        check(parent, which, work);
    }
    pvg_log_forks_as_before();
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

void
pvg_wake_clone(int which)
{
    __atomic_store_n(&shared[which].may_check, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &shared[which].may_check, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int
pvg_clone_has_checked(int which)
{
    return shared[which].has_checked;
}

unsigned long
pvg_clone_leaked(int which)
{
    return shared[which].leaked;
}
