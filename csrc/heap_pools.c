/* For syscall. */
#define _GNU_SOURCE
#include "heap_pools.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap_pages.h"
#include "heap_slots.h"

pvh_pools pvh_main_pools;

/* Blocks that others have freed, of all pools: they only add to it, and the main thread takes all
   of it. */
static pvh_block *returned;

typedef struct {
    char *next, *end;
} room;

/* What was never used, or was given back: of each pool, and of all. */
static room of_pool[PVH_MOST_POOLS], of_all;

/* Blocks of one pool lie together, in runs. */
enum { RUN = 16 * 1024, FIRST_CHUNK = 256 * 1024, LARGEST_CHUNK = 64 * 1024 * 1024 };

/* Memory from the kernel. Each chunk is as large as a quarter of those before it, so that there are
   few. Of each run, whether it was given back; or how many of its blocks are free, while it is found
   out which can be. */
enum { MOST_CHUNKS = 1024, WAS_GIVEN_BACK = UINT16_MAX, IS_EMPTY = UINT16_MAX - 1 };
typedef struct {
    char *start;
    size_t runs;
    uint16_t *free;
} chunk;
static chunk chunks[MOST_CHUNKS];
static size_t chunk_count, taken, given_back;

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

static int
has_chunk(void)
{
    size_t bytes = taken / 4 & ~(size_t)(RUN - 1);
    bytes = bytes < FIRST_CHUNK ? FIRST_CHUNK : bytes > LARGEST_CHUNK ? LARGEST_CHUNK : bytes;
    size_t runs = bytes / RUN;
    char *start = chunk_count < MOST_CHUNKS ? pvh_new_pages(bytes) : NULL;
    uint16_t *free = start == NULL ? NULL : pvh_new_pages(runs * sizeof *free);
    if (free == NULL) {
        if (start != NULL) {
            pvh_give_pages_back(start, bytes);
        }
        return 0;
    }
    chunks[chunk_count++] = (chunk){start, runs, free};
    uintptr_t first = (uintptr_t)start, lowest = pvh_main_pools.lowest;
    uintptr_t end = lowest + pvh_main_pools.length;
    lowest = taken == 0 || first < lowest ? first : lowest;
    end = first + bytes > end ? first + bytes : end;
    pvh_main_pools.lowest = lowest;
    pvh_main_pools.length = end - lowest;
    of_all = (room){start, start + bytes};
    taken += bytes;
    return 1;
}

/* A run that was given back, else one that was never used. */
static room
new_run(void)
{
    for (size_t i = 0; given_back > 0 && i < chunk_count; i++) {
        for (size_t j = 0; j < chunks[i].runs; j++) {
            if (chunks[i].free[j] == WAS_GIVEN_BACK) {
                chunks[i].free[j] = 0;
                given_back--;
                return (room){chunks[i].start + j * RUN, chunks[i].start + (j + 1) * RUN};
            }
        }
    }
    if (of_all.next == of_all.end && !has_chunk()) {
        return (room){NULL, NULL};
    }
    of_all.next += RUN;
    return (room){of_all.next - RUN, of_all.next};
}

static pvh_block *
new_block(uint32_t pool)
{
    size_t bytes = (size_t)pool * PVH_ALIGNMENT;
    room *own = &of_pool[pool];
    if ((size_t)(own->end - own->next) < bytes) {
        room run = new_run();
        if (run.next == NULL) {
            return NULL;
        }
        *own = run;
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
    size_t unused = (size_t)(of_all.end - of_all.next) + given_back * RUN;
    for (size_t i = 0; i < PVH_MOST_POOLS; i++) {
        unused += (size_t)(of_pool[i].end - of_pool[i].next);
        unused += free_bytes(pvh_main_pools.first[i], taken);
    }
    unused += free_bytes(__atomic_load_n(&returned, __ATOMIC_ACQUIRE), taken);
    return (pvh_pool_bytes){taken, unused < taken ? unused : taken};
}

/* The count of the run in which a block lies; NULL if it is in none. */
static uint16_t *
count_of(const pvh_block *block)
{
    for (size_t i = 0; i < chunk_count; i++) {
        size_t offset = (size_t)((const char *)block - chunks[i].start);
        if (offset < chunks[i].runs * RUN) {
            return &chunks[i].free[offset / RUN];
        }
    }
    return NULL;
}

/* Takes the blocks out of the list of a pool whose runs have no others. */
static void
empty_runs_of(uint32_t pool)
{
    pvh_block *first = pvh_main_pools.first[pool], *next, *kept = NULL;
    uint16_t *count, all = (uint16_t)(RUN / (pool * PVH_ALIGNMENT));
    for (pvh_block *block = first; pvh_is_in_pools(block); block = pvh_next_free(block)) {
        if ((count = count_of(block)) != NULL) {
            ++*count;
        }
    }
    for (pvh_block *block = first; pvh_is_in_pools(block); block = next) {
        next = pvh_next_free(block);
        count = count_of(block);
        if (count != NULL && (*count == all || *count == IS_EMPTY)) {
            *count = IS_EMPTY;
            pvh_give_slot_up(block->slot, (uintptr_t)(block + 1));
        } else {
            block->caller = (uintptr_t)kept;
            kept = block;
        }
    }
    pvh_main_pools.first[pool] = kept;
}

/* Gives back the runs that are empty, and counts no others any more. */
static int
give_empty_runs_back(void)
{
    size_t before = given_back;
    for (size_t i = 0; i < chunk_count; i++) {
        for (size_t j = 0; j < chunks[i].runs; j++) {
            if (chunks[i].free[j] == IS_EMPTY) {
                char *run = chunks[i].start + j * RUN;
                /* Where a page is larger than a run, it stays. */
                if (syscall(SYS_madvise, run, (size_t)RUN, MADV_DONTNEED) != 0) {
                    memset(run, 0, RUN);
                }
                chunks[i].free[j] = WAS_GIVEN_BACK;
                given_back++;
            } else if (chunks[i].free[j] != WAS_GIVEN_BACK) {
                chunks[i].free[j] = 0;
            }
        }
    }
    return given_back > before;
}

int
pvh_trim_pools(void)
{
    if (pvh_owner != PVH_OF_MAIN || pvh_main_pools.is_busy) {
        return 0;
    }
    pvh_main_pools.is_busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    take_returned();
    for (uint32_t pool = 1; pool < PVH_MOST_POOLS; pool++) {
        empty_runs_of(pool);
    }
    int has_given_back = give_empty_runs_back();
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    pvh_main_pools.is_busy = 0;
    return has_given_back;
}
