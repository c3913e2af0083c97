#include "heap_foreign.h"

#include <stddef.h>
#include <stdint.h>

#include "heap_blocks.h"
#include "heap_ranges.h"

#ifdef __GLIBC__

/* The word before a block (malloc/malloc.c): the size of its chunk, and three bits. */
enum { IS_MAPPED = 2, BITS = 7, SMALLEST = 32, PAGE = 4096 };

int
pvh_may_be_foreign(const void *address)
{
    uintptr_t start = (uintptr_t)address;
    if (start % PVH_ALIGNMENT != 0 || pvh_read_ranges() < 0) {
        return 0;
    }
    size_t word = ((const size_t *)address)[-1], size = word & ~(size_t)BITS;
    const pvh_range *range = pvh_range_with(start);
    if (range == NULL || size < SMALLEST || size % PVH_ALIGNMENT != 0) {
        return 0;
    }
    int is_inside = size - 2 * sizeof(size_t) <= range->end - start;
    if (word & IS_MAPPED) {
        return is_inside && !range->is_heap && size % PAGE == 0;
    }
    return is_inside && range->is_heap;
}

#else

int
pvh_may_be_foreign(const void *address)
{
    return (uintptr_t)address % PVH_ALIGNMENT == 0;
}

#endif
