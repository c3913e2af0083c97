/* The live blocks by their addresses, in a clone: to which one a word may point. */
#ifndef PVH_INDEX_H
#define PVH_INDEX_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uintptr_t address;
    size_t size;
} pvh_indexed_block;

/* In the order of their addresses. */
typedef struct {
    pvh_indexed_block *blocks;
    size_t count;
    /* The addresses from the first block to the last: where they begin, negated, as it would be a
       root otherwise; and how many they are. */
    uintptr_t minus_start, length;
} pvh_index;

extern pvh_index pvh_indexed;

enum { PVH_NO_BLOCK = 0xFFFFFFFF };

/* Of blocks made for tests from `first_test` on. Returns -1 if there is no memory. */
int pvh_build_index(uint32_t first_test);

/* Returns the place of the block to which a word points, be it to its middle, or PVH_NO_BLOCK. */
uint32_t pvh_block_of(uintptr_t word);

/* The same in two steps, between which memory may be fetched: returns where the places of the
   blocks near a word are, NULL if none is; and then, given that, what pvh_block_of returns. */
const uint32_t *pvh_blocks_between(uintptr_t word);
static inline const uint32_t *
pvh_blocks_near(uintptr_t word)
{
    /* Most words are far from any block. */
    return word + pvh_indexed.minus_start < pvh_indexed.length ? pvh_blocks_between(word) : NULL;
}
uint32_t pvh_block_among(const uint32_t *near, uintptr_t word);
/* Returns the place of the first block that begins at an address or behind it. */
size_t pvh_first_behind(uintptr_t address);

#endif
