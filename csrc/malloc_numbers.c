#include "malloc_numbers.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

enum {
    /* A thread keeps blocks of these sizes (glibc, malloc.c: MAX_TCACHE_SIZE, MALLOC_ALIGNMENT). */
    SMALLEST = 24,
    STEP = 16,
    SIZES = 64,
    /* And so many of each, from glibc 2.42 on and before (TCACHE_FILL_COUNT). */
    KEPT = 16,
    FORMERLY_KEPT = 7,
    /* Blocks that are put aside while these are looked for. */
    ASIDE = 1024
};

/* As in <malloc.h>, where older C libraries do not have it. */
typedef struct {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} mallinfo2_result;

static int
kept(void)
{
#ifdef __GLIBC__
    /* "2.36": there has been no other first number since 1997. */
    const char *version = gnu_get_libc_version();
    return version[0] == '2' && version[1] == '.' && atoi(version + 2) < 42 ? FORMERLY_KEPT : KEPT;
#else
    return KEPT;
#endif
}

static void
fill_caches(int count)
{
    /* No compiler leaves out what is stored here. */
    static void *volatile blocks[KEPT];
    static void *volatile aside[ASIDE];
    for (int number = SIZES - 1; number >= 0; number--) {
        size_t size = SMALLEST + (size_t)number * STEP;
        int found = 0, longer = 0;
        /* A block that fits but for 16 bytes is given out as it is, and would be kept among those
           of its own size. */
        while (found < count && longer < ASIDE) {
            void *block = malloc(size);
            if (malloc_usable_size(block) == size) {
                blocks[found++] = block;
            } else {
                aside[longer++] = block;
            }
        }
        while (found > 0) {
            free(blocks[--found]);
        }
        while (longer > 0) {
            free(aside[--longer]);
        }
    }
}

pvg_malloc_numbers
pvg_count_malloc(void)
{
    static mallinfo2_result (*mallinfo2)(void);
    static int is_looked_up, count;
    pvg_malloc_numbers numbers = {0, 0};
    if (!is_looked_up) {
        is_looked_up = 1;
        count = kept();
        *(void **)&mallinfo2 = dlsym(RTLD_DEFAULT, "mallinfo2");
    }
    if (mallinfo2 == NULL) {
        return numbers;
    }
    fill_caches(count);
    mallinfo2_result found = mallinfo2();
    numbers.allocated = found.uordblks + found.hblkhd;
    numbers.held = found.arena + found.hblkhd;
    return numbers;
}
