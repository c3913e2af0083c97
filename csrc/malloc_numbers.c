#include "malloc_numbers.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    /* A thread keeps blocks of these sizes (glibc, malloc.c: MAX_TCACHE_SIZE, MALLOC_ALIGNMENT). */
    SMALLEST = 24,
    STEP = 16,
    SIZES = 64,
    /* And so many of each; it was 7 for long, and is 16 from glibc 2.42 on. */
    KEPT = 16
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
    /* From the largest on: a block that was cut from a larger one may be 16 bytes longer than it
       was asked for, and then goes where those already are as many as can be. */
    for (int size = SIZES - 1; size >= 0; size--) {
        for (int i = 0; i < KEPT; i++) {
            blocks[i] = malloc(SMALLEST + (size_t)size * STEP);
        }
        for (int i = 0; i < KEPT; i++) {
            free(blocks[i]);
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
