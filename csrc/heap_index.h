/* The live blocks by their addresses, in a clone: to which one a word may point. */
#ifndef PVH_INDEX_H
#define PVH_INDEX_H

#include <stddef.h>
#include <stdint.h>

/* In the order of their addresses. */
typedef struct {
    uintptr_t *addresses;
    size_t *sizes;
    size_t count;
} pvh_index;

extern pvh_index pvh_indexed;

enum { PVH_NO_BLOCK = 0xFFFFFFFF };

/* Returns -1 if there is no memory. */
int pvh_build_index(void);

/* Returns the place of the block to which a word points, be it to its middle, or PVH_NO_BLOCK. */
uint32_t pvh_block_of(uintptr_t word);
/* Returns the place of the first block that begins at an address or behind it. */
size_t pvh_first_behind(uintptr_t address);

#endif
