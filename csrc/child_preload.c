/* Adds to the log of a child process what it cannot tell by itself.

   Preloaded into the processes that tests start, and into the one that runs the
   tests, whose forks have it from there. Like csrc/repairs.c it uses no symbol
   of Python, and valgrind finds its functions by their names (its manual,
   3.3). A line of it in a log begins with PVG_SAYS. */

/* For dl_iterate_phdr. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

#define PVG_SAYS "pytest-valgrind: "
/* The kinds of leak that count; where it is not set, nothing here does anything. */
#define LEAK_KINDS "PYTEST_VALGRIND_CHILDREN"
/* Set until the process that runs the tests has begun with them. */
#define LAUNCHED "PYTEST_VALGRIND_DIRECTORY"

/* --- Whether this is a child, and what it has to look for --- */

static int is_child;
static int looks_for_leaks;
static int is_fork;

static void
change_option(const char *option, const char *value)
{
    char text[200];
    size_t length = strlen(option);
    if (length + strlen(value) < sizeof text) {
        memcpy(text, option, length);
        strcpy(text + length, value);
        VALGRIND_CLO_CHANGE(text);
    }
}

static const char *
leak_kinds(void)
{
    const char *kinds = getenv(LEAK_KINDS);
    return kinds ? kinds : "none";
}

/* --- Where object files are, which valgrind does not say for a frame with a
   source line --- */

enum { MOST_OBJECTS = 4096 };
static uintptr_t told[MOST_OBJECTS];
static size_t told_count;

/* The loader knows no name of it. */
static const char *
program(void)
{
    static char path[4096];
    if (path[0] == '\0') {
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
    }
    return path;
}

static int
tell_object(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    /* The name as well: another object may come to lie at the same address. */
    uintptr_t key = info->dlpi_addr ^ (uintptr_t)info->dlpi_name;
    for (size_t i = 0; i < told_count; i++) {
        if (told[i] == key) {
            return 0;
        }
    }
    if (told_count < MOST_OBJECTS) {
        told[told_count++] = key;
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X) {
            uintptr_t start = info->dlpi_addr + segment->p_vaddr;
            VALGRIND_PRINTF(PVG_SAYS "object %lx %lx %s\n", (unsigned long)start,
                            (unsigned long)(start + segment->p_memsz),
                            info->dlpi_name[0] ? info->dlpi_name : program());
        }
    }
    return 0;
}

static int is_ready;

/* The loader calls this, which is empty, whenever it has loaded or unloaded
   something, for debuggers to stop there. */
void I_REPLACE_SONAME_FNNAME_ZU(ldZhlinuxZa, _dl_debug_state)(void);
void
I_REPLACE_SONAME_FNNAME_ZU(ldZhlinuxZa, _dl_debug_state)(void)
{
    /* Before that, this object itself is not yet relocated. */
    if (is_ready && is_child) {
        dl_iterate_phdr(tell_object, NULL);
    }
}

/* --- Forks --- */

extern const char *Py_GetVersion(void) __attribute__((weak));

/* Has valgrind know what is lost by now: what a fork has from its parent. */
static void
remember_leaks(void)
{
    const char *kinds = leak_kinds();
    looks_for_leaks = strcmp(kinds, "none") != 0;
    if (looks_for_leaks) {
        VALGRIND_CLO_CHANGE("--show-leak-kinds=none");
        VALGRIND_DO_LEAK_CHECK;
        change_option("--show-leak-kinds=", kinds);
    }
}

/* Says which errors a fork has from its parent. */
static void
begin_fork(void)
{
    VALGRIND_PRINTF(PVG_SAYS "fork %u\n", (unsigned)VALGRIND_COUNT_ERRORS);
    is_child = 1;
    is_fork = 1;
    looks_for_leaks = 0;
    if (VALGRIND_COUNT_ERRORS > 0) {
        (void)VALGRIND_MONITOR_COMMAND("v.info all_errors");
    }
    VALGRIND_PRINTF(PVG_SAYS "begin\n");
    /* At exit, valgrind would tell of everything that is lost. */
    VALGRIND_CLO_CHANGE("--leak-check=no");
    if (Py_GetVersion == NULL) {
        remember_leaks();
    }
}

/* A fork by Python first gets new locks, and the old ones are lost. */
#define WRAP_FORK_OF_PYTHON(OBJECT)                                           \
    void I_WRAP_SONAME_FNNAME_ZU(OBJECT, PyOS_AfterFork_Child)(void);         \
    void I_WRAP_SONAME_FNNAME_ZU(OBJECT, PyOS_AfterFork_Child)(void)          \
    {                                                                         \
        OrigFn original;                                                      \
        VALGRIND_GET_ORIG_FN(original);                                       \
        CALL_FN_v_v(original);                                                \
        if (is_fork) {                                                        \
            remember_leaks();                                                 \
        }                                                                     \
    }

WRAP_FORK_OF_PYTHON(libpython3Za)
WRAP_FORK_OF_PYTHON(NONE)

static void
check_for_leaks(void)
{
    if (is_child && looks_for_leaks) {
        looks_for_leaks = 0;
        VALGRIND_PRINTF(PVG_SAYS "leaks\n");
        VALGRIND_DO_ADDED_LEAK_CHECK;
        VALGRIND_CLO_CHANGE("--leak-check=no");
    }
}

/* --- The end --- */

/* An interpreter that ends loses hundreds of blocks from 3.12 on, and is none
   the worse for it: what a program has lost is looked for before. */
#define WRAP_END_OF_PYTHON(OBJECT)                                            \
    int I_WRAP_SONAME_FNNAME_ZU(OBJECT, Py_FinalizeEx)(void);                 \
    int I_WRAP_SONAME_FNNAME_ZU(OBJECT, Py_FinalizeEx)(void)                  \
    {                                                                         \
        OrigFn original;                                                      \
        int result;                                                           \
        VALGRIND_GET_ORIG_FN(original);                                       \
        check_for_leaks();                                                    \
        CALL_FN_W_v(result, original);                                        \
        return result;                                                        \
    }

WRAP_END_OF_PYTHON(libpython3Za)
WRAP_END_OF_PYTHON(NONE)

/* Valgrind's own check at exit does not know what was lost before a fork. */
void I_WRAP_SONAME_FNNAME_ZU(libcZdsoZa, _exit)(int code);
void
I_WRAP_SONAME_FNNAME_ZU(libcZdsoZa, _exit)(int code)
{
    OrigFn original;
    VALGRIND_GET_ORIG_FN(original);
    if (is_fork) {
        check_for_leaks();
    }
    CALL_FN_v_W(original, code);
}

/* For a process that is not a child by what is in its environment. */
void pvg_report_forks(void);
void
pvg_report_forks(void)
{
    static int is_registered;
    if (!is_registered) {
        is_registered = 1;
        pthread_atfork(NULL, NULL, begin_fork);
    }
}

__attribute__((constructor)) static void
begin(void)
{
    is_ready = 1;
    if (!RUNNING_ON_VALGRIND || getenv(LEAK_KINDS) == NULL) {
        return;
    }
    pvg_report_forks();
    if (getenv(LAUNCHED) != NULL) {
        return;
    }
    is_child = 1;
    looks_for_leaks = strcmp(leak_kinds(), "none") != 0;
    change_option("--show-leak-kinds=", leak_kinds());
    VALGRIND_CLO_CHANGE("--errors-for-leak-kinds=none");
    change_option("--leak-check=", looks_for_leaks ? "full" : "no");
    dl_iterate_phdr(tell_object, NULL);
}
