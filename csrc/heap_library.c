/* What the C library says of its allocator and gives back to the kernel, with the blocks in pools:
   mallinfo(3), malloc_trim(3). */

/* For RTLD_NEXT. Not <malloc.h>, which declares one of these functions as out of date. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h> /* for __GLIBC__ */

#include "heap_options.h"
#include "heap_pools.h"

#ifdef __GLIBC__

/* As in <malloc.h>: what is held from the kernel, in use and free, and what other lists have. */
typedef struct {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} numbers;
typedef struct {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} short_numbers;

#define REPLACED __attribute__((visibility("default")))
REPLACED numbers mallinfo2(void);
REPLACED short_numbers mallinfo(void);
REPLACED int malloc_trim(size_t kept);

/* From 2.33 on. */
static numbers
of_library(void)
{
    static numbers (*real)(void);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "mallinfo2");
    }
    return real == NULL ? (numbers){0} : real();
}

numbers
mallinfo2(void)
{
    numbers found = of_library();
    if (pvh_mode_of_process() != PVH_PASSES_THROUGH) {
        pvh_pool_bytes own = pvh_count_pools();
        found.arena += own.held;
        found.fordblks += own.free;
        found.uordblks += own.held - own.free;
    }
    return found;
}

static int
shortened(size_t number)
{
    return number > INT_MAX ? INT_MAX : (int)number;
}

short_numbers
mallinfo(void)
{
    numbers found = mallinfo2();
    return (short_numbers){
        shortened(found.arena),   shortened(found.ordblks),  shortened(found.smblks),
        shortened(found.hblks),   shortened(found.hblkhd),   shortened(found.usmblks),
        shortened(found.fsmblks), shortened(found.uordblks), shortened(found.fordblks),
        shortened(found.keepcost),
    };
}

int
malloc_trim(size_t kept)
{
    static int (*real)(size_t);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "malloc_trim");
    }
    int has_given_back = real == NULL ? 0 : real(kept);
    return (pvh_mode_of_process() == PVH_TRACKS && pvh_trim_pools()) || has_given_back;
}

#endif
