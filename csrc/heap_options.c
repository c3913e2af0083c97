/* For environ and syscall. */
#define _GNU_SOURCE
#include "heap_options.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap_threads.h"

pvh_mode pvh_mode_now;
pvh_guards pvh_guards_now = PVH_GUARDS_CHEAP;

/* Nothing here may allocate, as the first allocation asks. */

static const char *
value_in(const char *setting)
{
    static const char start[] = PVH_VARIABLE "=";
    return strncmp(setting, start, sizeof start - 1) == 0 ? setting + sizeof start - 1 : NULL;
}

/* What the C library knows as the environment only after its own constructor. */
static const char *
value_at_start(void)
{
    enum { LONGEST = 64 };
    static char setting[sizeof PVH_VARIABLE + LONGEST];
    char chunk[4096];
    size_t length = 0;
    int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC);
    const char *found = NULL;
    ssize_t count;
    while (file >= 0 && found == NULL
           && (count = syscall(SYS_read, file, chunk, sizeof chunk)) > 0) {
        for (ssize_t i = 0; i < count && found == NULL; i++) {
            if (chunk[i] != '\0') {
                if (length < sizeof setting - 1) {
                    setting[length++] = chunk[i];
                }
                continue;
            }
            setting[length] = '\0';
            length = 0;
            found = value_in(setting);
        }
    }
    if (file >= 0) {
        syscall(SYS_close, file);
    }
    return found;
}

static const char *
value(void)
{
    if (environ == NULL) {
        return value_at_start();
    }
    const char *found = NULL;
    for (char **each = environ; *each != NULL && found == NULL; each++) {
        found = value_in(*each);
    }
    return found;
}

pvh_mode
pvh_decide(void)
{
    const char *words = value();
    if (words != NULL && strstr(words, "guards=off") != NULL) {
        pvh_guards_now = PVH_GUARDS_OFF;
    } else if (words != NULL && strstr(words, "guards=full") != NULL) {
        pvh_guards_now = PVH_GUARDS_FULL;
    }
    pvh_begin_main_thread();
    pvh_mode_now = words != NULL ? PVH_TRACKS : PVH_PASSES_THROUGH;
    return pvh_mode_now;
}
