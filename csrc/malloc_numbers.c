#include "malloc_numbers.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    /* A thread keeps blocks of these sizes (glibc, malloc.c: MAX_TCACHE_SIZE, MALLOC_ALIGNMENT). */
    SMALLEST = 24,
    STEP = 16,
    SIZES = 64,
    /* And so many of each; it was 7 for long, and is 16 from glibc 2.42 on. */
    KEPT = 16,
    /* Blocks that are put aside while these are looked for. */
    ASIDE = 1024
};

/* As in <malloc.h>, where older C libraries do not have it. */
typedef struct {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} mallinfo2_result;

static void
fill_caches(void)
{
    /* No compiler leaves out what is stored here. */
    static void *volatile blocks[KEPT];
    static void *volatile aside[ASIDE];
    for (int number = SIZES - 1; number >= 0; number--) {
        size_t size = SMALLEST + (size_t)number * STEP;
        int found = 0, longer = 0;
        /* A block that fits but for 16 bytes is given out as it is, and would be kept among those
           of its own size. */
        while (found < KEPT && longer < ASIDE) {
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
    static int is_looked_up;
    pvg_malloc_numbers numbers = {0, 0};
    if (!is_looked_up) {
        is_looked_up = 1;
        *(void **)&mallinfo2 = dlsym(RTLD_DEFAULT, "mallinfo2");
    }
    if (mallinfo2 == NULL) {
        return numbers;
    }
    fill_caches();
    mallinfo2_result found = mallinfo2();
    numbers.allocated = found.uordblks + found.hblkhd;
    numbers.held = found.arena + found.hblkhd;
    return numbers;
}
