#include "heap_pools.h"

#include "heap_pages.h"
#include "heap_slots.h"

pvh_pools pvh_main_pools;

/* Blocks that others have freed, of all pools: they only add to it, and the main thread takes all
   of it. */
static pvh_block *returned;

typedef struct {
    char *next, *end;
} room;

/* What was never used: of each pool, and of all. */
static room of_pool[PVH_MOST_POOLS], of_all;

enum { RUN = 16 * 1024, FIRST_CHUNK = 256 * 1024, LARGEST_CHUNK = 64 * 1024 * 1024 };

void
pvh_give_back_later(pvh_block *block)
{
    pvh_block *first = __atomic_load_n(&returned, __ATOMIC_RELAXED);
    do {
        block->caller = (uintptr_t)first;
    } while (!__atomic_compare_exchange_n(&returned, &first, block, 1, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

static void
take_returned(void)
{
    pvh_block *block = __atomic_exchange_n(&returned, NULL, __ATOMIC_ACQUIRE);
    while (pvh_is_in_pools(block)) {
        pvh_block *next = pvh_next_free(block);
        block->caller = (uintptr_t)pvh_main_pools.first[block->pool];
        pvh_main_pools.first[block->pool] = block;
        block = next;
    }
}

static size_t taken;

/* There are few chunks, as each is as large as a quarter of those before it. */
static int
has_chunk(void)
{
    size_t bytes = taken / 4 & ~(size_t)(RUN - 1);
    bytes = bytes < FIRST_CHUNK ? FIRST_CHUNK : bytes > LARGEST_CHUNK ? LARGEST_CHUNK : bytes;
    char *chunk = pvh_new_pages(bytes);
    if (chunk == NULL) {
        return 0;
    }
    uintptr_t start = (uintptr_t)chunk, lowest = pvh_main_pools.lowest;
    uintptr_t end = lowest + pvh_main_pools.length;
    if (taken == 0 || start < lowest) {
        lowest = start;
    }
    if (start + bytes > end) {
        end = start + bytes;
    }
    pvh_main_pools.lowest = lowest;
    pvh_main_pools.length = end - lowest;
    of_all = (room){chunk, chunk + bytes};
    taken += bytes;
    return 1;
}

static pvh_block *
new_block(uint32_t pool)
{
    size_t bytes = (size_t)pool * PVH_ALIGNMENT;
    room *own = &of_pool[pool];
    if ((size_t)(own->end - own->next) < bytes) {
        if (of_all.next == of_all.end && !has_chunk()) {
            return NULL;
        }
        *own = (room){of_all.next, of_all.next + RUN};
        of_all.next += RUN;
    }
    pvh_block *block = (pvh_block *)own->next;
    own->next += bytes;
    block->slot = PVH_NO_SLOT;
    return block;
}

pvh_block *
pvh_other_block(uint32_t pool)
{
    if (__atomic_load_n(&returned, __ATOMIC_RELAXED) != NULL) {
        take_returned();
    }
    pvh_block *block = pvh_main_pools.first[pool];
    if (!pvh_is_in_pools(block)) {
        pvh_main_pools.first[pool] = NULL;
        return new_block(pool);
    }
    pvh_main_pools.first[pool] = pvh_next_free(block);
    return block;
}

static size_t
free_bytes(const pvh_block *block, size_t most)
{
    size_t bytes = 0;
    for (; pvh_is_in_pools(block) && bytes < most; block = pvh_next_free(block)) {
        bytes += (size_t)block->pool * PVH_ALIGNMENT;
    }
    return bytes;
}

pvh_pool_bytes
pvh_count_pools(void)
{
    size_t unused = (size_t)(of_all.end - of_all.next);
    for (size_t i = 0; i < PVH_MOST_POOLS; i++) {
        unused += (size_t)(of_pool[i].end - of_pool[i].next);
        unused += free_bytes(pvh_main_pools.first[i], taken);
    }
    unused += free_bytes(__atomic_load_n(&returned, __ATOMIC_ACQUIRE), taken);
    return (pvh_pool_bytes){taken, unused < taken ? unused : taken};
}
