/* Small blocks of the main thread, in pools by their size, as CPython's own allocator has them.

   Most blocks of a suite are such, and the C library takes several times as long for one: it looks
   for neighbours that are free, and leaves addresses in what it joins, so that new memory would
   have to be overwritten. Here a block stays as large as it is, and keeps its slot. */
#ifndef PVH_POOLS_H
#define PVH_POOLS_H

#include <stddef.h>
#include <stdint.h>

#include "heap_atomic.h"
#include "heap_blocks.h"

/* Pool n is of blocks of 16 n bytes, with what stands before and behind them. */
enum { PVH_MOST_POOLS = 64 };

#pragma GCC visibility push(hidden)
typedef struct {
    /* The free blocks of each, the last one that was freed first. */
    pvh_block *first[PVH_MOST_POOLS];
    uintptr_t lowest, length; /* where all of them lie */
    /* Set while the thread is at work here, as a signal handler may allocate as well; for ever in
       a fork that another thread has made at that moment. */
    int is_busy;
} pvh_pools;
extern pvh_pools pvh_main_pools;
#pragma GCC visibility pop

/* The head of a free block begins with the next one. */
static inline pvh_block *
pvh_next_free(const pvh_block *block)
{
    return (pvh_block *)block->caller;
}

/* Whether it can be a block: the end of a list is none, nor is what a program has written past the
   end of the block before. */
static inline int
pvh_is_in_pools(const pvh_block *block)
{
    return (uintptr_t)block - pvh_main_pools.lowest < pvh_main_pools.length
           && (uintptr_t)block % PVH_ALIGNMENT == 0;
}

/* Of a pool that has no free one: what other threads have given back, or a new one; NULL if there
   is no memory. */
pvh_block *pvh_other_block(uint32_t pool);
/* Of another thread, or a signal handler. */
void pvh_give_back_later(pvh_block *block);

/* Bytes that the pools have from the kernel, and those of them that are free. It takes a look at each
   free block; while other threads allocate it is not exact. */
typedef struct {
    size_t held, free;
} pvh_pool_bytes;
pvh_pool_bytes pvh_count_pools(void);

/* Gives memory in which no block is left back to the kernel; whether there was any. Of the main
   thread alone. */
int pvh_trim_pools(void);

/* Returns a block of so many bytes in all, NULL if it is not for the pools. Its slot is that which
   it had before, PVH_NO_SLOT if it is new. */
static inline pvh_block *
pvh_take_from_pool(size_t bytes)
{
    size_t pool = (bytes + PVH_ALIGNMENT - 1) / PVH_ALIGNMENT;
    if (pool >= PVH_MOST_POOLS || pvh_owner != PVH_OF_MAIN || pvh_main_pools.is_busy) {
        return NULL;
    }
    pvh_main_pools.is_busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    pvh_block *block = pvh_main_pools.first[pool];
    if (__builtin_expect(pvh_is_in_pools(block), 1)) {
        pvh_main_pools.first[pool] = pvh_next_free(block);
    } else {
        block = pvh_other_block((uint32_t)pool);
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    pvh_main_pools.is_busy = 0;
    if (block != NULL) {
        block->pool = pool & (PVH_MOST_POOLS - 1);
    }
    return block;
}

static inline void
pvh_give_to_pool(pvh_block *block)
{
    if (pvh_owner != PVH_OF_MAIN || pvh_main_pools.is_busy) {
        pvh_give_back_later(block);
        return;
    }
    pvh_main_pools.is_busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    block->caller = (uintptr_t)pvh_main_pools.first[block->pool];
    pvh_main_pools.first[block->pool] = block;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    pvh_main_pools.is_busy = 0;
}

#endif
