#include "heap_index.h"

#include <string.h>

#include "heap_blocks.h"
#include "heap_pages.h"
#include "heap_slots.h"

pvh_index pvh_indexed;

/* Blocks near each other: where each stretch of a region begins, as places of the index. What
   the C library maps by itself lies far from its heap. */
typedef struct {
    uintptr_t start;
    size_t length;
    int shift;          /* of an address, to its stretch */
    uint32_t *stretches;
} region;

enum {
    MOST_REGIONS = 8,
    SHORTEST_SHIFT = 9,
    APART = 64 * 1024 * 1024,
    STRETCHES_PER_BLOCK = 4,
    FEWEST_STRETCHES = 64 * 1024,
};
/* Set of a stretch in which there is no part of a block, as of most where few blocks are looked
   for: then most words are done with by this. */
static const uint32_t IS_EMPTY = (uint32_t)1 << 31;

/* Among the engine's own pages, as a region begins with the address of a block: here it would be
   a root. */
static region *regions;
static int region_count;

/* By the 44 bits of the addresses that differ at all, 11 at a time. */
static uintptr_t *
sort(uintptr_t *from, uintptr_t *to, size_t count, uintptr_t differing)
{
    enum { BITS = 11, RADIX = 1 << BITS };
    static size_t ends[RADIX + 1];
    for (int shift = 4; shift < 48; shift += BITS) {
        if ((differing >> shift & (RADIX - 1)) == 0) {
            continue;
        }
        memset(ends, 0, sizeof ends);
        for (size_t i = 0; i < count; i++) {
            ends[(from[i] >> shift & (RADIX - 1)) + 1]++;
        }
        for (size_t i = 0; i < RADIX; i++) {
            ends[i + 1] += ends[i];
        }
        for (size_t i = 0; i < count; i++) {
            to[ends[from[i] >> shift & (RADIX - 1)]++] = from[i];
        }
        uintptr_t *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

static uintptr_t
end_of(size_t place)
{
    /* A block without a byte is pointed to as well. */
    pvh_indexed_block block = pvh_indexed.blocks[place];
    return block.address + (block.size == 0 ? 1 : block.size);
}

/* The blocks from `first` up to `end`. */
static int
add_region(size_t first, size_t end)
{
    region *added = &regions[region_count];
    added->start = pvh_indexed.blocks[first].address;
    added->length = end_of(end - 1) - added->start;
    added->shift = SHORTEST_SHIFT;
    while (added->length >> added->shift
           > (end - first) * STRETCHES_PER_BLOCK + FEWEST_STRETCHES) {
        added->shift++;
    }
    size_t stretches = (added->length >> added->shift) + 1;
    added->stretches = pvh_new_pages((stretches + 1) * sizeof *added->stretches);
    if (added->stretches == NULL) {
        return -1;
    }
    size_t place = first;
    for (size_t i = 0; i <= stretches; i++) {
        while (place < end
               && pvh_indexed.blocks[place].address - added->start < (uintptr_t)i << added->shift) {
            place++;
        }
        added->stretches[i] = (uint32_t)place;
    }
    for (size_t i = 0; i < stretches; i++) {
        uint32_t behind = added->stretches[i];
        uintptr_t start = added->start + ((uintptr_t)i << added->shift);
        if (behind == added->stretches[i + 1] && end_of(behind - 1) <= start) {
            added->stretches[i] |= IS_EMPTY;
        }
    }
    region_count++;
    return 0;
}

static int
add_regions(void)
{
    region_count = 0;
    size_t first = 0;
    for (size_t i = 1; i <= pvh_indexed.count; i++) {
        int is_last = i == pvh_indexed.count;
        if (is_last
            || (pvh_indexed.blocks[i].address - pvh_indexed.blocks[i - 1].address > APART
                && region_count < MOST_REGIONS - 1)) {
            if (add_region(first, i) < 0) {
                return -1;
            }
            first = i;
        }
    }
    return 0;
}

/* Sorts the blocks into the index, and returns how many they are; -1 if there is no memory. The
   peak of a process's memory is that of its clones: what is done with is given back at once. */
static ptrdiff_t
sort_blocks(uint32_t first_test)
{
    uint32_t slots = pvh_slot_count();
    size_t bytes = (slots + 1) * sizeof(uintptr_t);
    uintptr_t *addresses = pvh_new_pages(bytes);
    uintptr_t *room = pvh_new_pages(bytes);
    if (addresses == NULL || room == NULL) {
        return -1;
    }
    size_t count = 0;
    uintptr_t all = UINTPTR_MAX, any = 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        pvh_fetch_block_soon(slot, slots);
        pvh_entry entry = pvh_entry_at(slot);
        uintptr_t address = pvh_address_of(entry);
        if (entry & PVH_IS_LIVE
            && (first_test == 0 || pvh_block_at(address)->test >= first_test)) {
            addresses[count++] = address;
            all &= address;
            any |= address;
        }
    }
    uintptr_t *sorted = sort(addresses, room, count, all ^ any);
    pvh_give_pages_back(sorted == addresses ? room : addresses, bytes);
    pvh_indexed_block *blocks = pvh_new_pages((count + 1) * sizeof *blocks);
    if (blocks == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        blocks[i] = (pvh_indexed_block){sorted[i], pvh_block_at(sorted[i])->size};
    }
    pvh_give_pages_back(sorted, bytes);
    pvh_indexed = (pvh_index){.blocks = blocks, .count = count};
    return (ptrdiff_t)count;
}

int
pvh_build_index(uint32_t first_test)
{
    regions = pvh_new_pages(MOST_REGIONS * sizeof *regions);
    ptrdiff_t count = regions == NULL ? -1 : sort_blocks(first_test);
    if (count <= 0) {
        return (int)count;
    }
    pvh_indexed.minus_start = -pvh_indexed.blocks[0].address;
    pvh_indexed.length = end_of((size_t)count - 1) - pvh_indexed.blocks[0].address;
    return add_regions();
}

/* Half an address with something else beside it, as the interpreter's inline caches have it, points
   into a block that is large enough, at random. Whoever has nothing but a pointer to the middle of
   such a block has one to a whole word of it; and to the beginning, with a few bits in it. */
static int
is_by_chance(size_t size, uintptr_t offset)
{
    enum { LARGE = 64 * 1024, NEAR = 64 };
    return size >= LARGE && offset >= NEAR && offset % sizeof(uintptr_t) != 0;
}

const uint32_t *
pvh_blocks_between(uintptr_t word)
{
    for (int i = 0; i < region_count; i++) {
        uintptr_t offset = word - regions[i].start;
        if (offset < regions[i].length) {
            const uint32_t *near = &regions[i].stretches[offset >> regions[i].shift];
            return *near & IS_EMPTY ? NULL : near;
        }
    }
    return NULL;
}

uint32_t
pvh_block_among(const uint32_t *near, uintptr_t word)
{
    size_t low = near[0], high = near[1] & ~IS_EMPTY;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (pvh_indexed.blocks[middle].address <= word) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    /* The first of a region begins where it does. */
    size_t place = low - 1;
    pvh_indexed_block block = pvh_indexed.blocks[place];
    if (word >= end_of(place) || is_by_chance(block.size, word - block.address)) {
        return PVH_NO_BLOCK;
    }
    return (uint32_t)place;
}

uint32_t
pvh_block_of(uintptr_t word)
{
    const uint32_t *near = pvh_blocks_near(word);
    return near == NULL ? PVH_NO_BLOCK : pvh_block_among(near, word);
}

size_t
pvh_first_behind(uintptr_t address)
{
    size_t low = 0, high = pvh_indexed.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (pvh_indexed.blocks[middle].address < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
