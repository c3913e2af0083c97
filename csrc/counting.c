/* For RTLD_DEFAULT. */
#define _GNU_SOURCE
#include "counting.h"

#include <dlfcn.h>
#include <stddef.h>

static pvg_counts (*now)(void);
static void (*reset)(void);

int
pvg_is_counted(void)
{
    if (now == NULL) {
        *(void **)&reset = dlsym(RTLD_DEFAULT, "pvg_reset_peaks_of_process");
        *(void **)&now = dlsym(RTLD_DEFAULT, "pvg_counts_of_process");
    }
    return now != NULL;
}

pvg_counts
pvg_counts_now(void)
{
    return pvg_is_counted() ? now() : (pvg_counts){0};
}

void
pvg_reset_counted_peaks(void)
{
    if (pvg_is_counted()) {
        reset();
    }
}
