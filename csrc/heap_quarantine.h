/* Freed blocks that a thread keeps for a while, so that a write to one is seen. */
#ifndef PVH_QUARANTINE_H
#define PVH_QUARANTINE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "heap_blocks.h"

/* A block, with what its head says of where it belongs: a program that writes past the end of the
   block before overwrites that. */
typedef struct {
    pvh_block *block;
    uint64_t slot_and_place;
    size_t size;
} pvh_held;

/* Of a thread. */
typedef struct {
    uint32_t most_blocks; /* a power of two */
    uint32_t first, count;
    /* Set while the thread is at work on it, as a signal handler may free. */
    int is_busy;
    size_t most_bytes, largest, bytes;
    pvh_held held[];
} pvh_quarantine;

#pragma GCC visibility push(hidden)
extern __thread pvh_quarantine *pvh_own_quarantine __attribute__((tls_model("initial-exec")));
#pragma GCC visibility pop

/* Whether the thread has one, now that it frees for the first time; not after its end. */
int pvh_begin_quarantine(void);

/* Returns the block, with its head as it was. */
static inline pvh_block *
pvh_put_right(const pvh_held *held)
{
    memcpy((char *)held->block + offsetof(pvh_block, slot), &held->slot_and_place,
           sizeof held->slot_and_place);
    held->block->size = held->size;
    return held->block;
}

/* Takes a freed block; whether it did. */
static inline int
pvh_hold(pvh_block *block)
{
    if (pvh_own_quarantine == NULL && !pvh_begin_quarantine()) {
        return 0;
    }
    pvh_quarantine *own = pvh_own_quarantine;
    size_t size = block->size;
    if (size > own->largest || own->is_busy) {
        return 0;
    }
    own->is_busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    pvh_held *held = &own->held[(own->first + own->count) & (own->most_blocks - 1)];
    held->block = block;
    memcpy(&held->slot_and_place, (const char *)block + offsetof(pvh_block, slot),
           sizeof held->slot_and_place);
    held->size = size;
    own->count++;
    own->bytes += size;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    own->is_busy = 0;
    return 1;
}

/* Returns one that has been here for long enough, NULL if none has. */
static inline pvh_block *
pvh_let_go(void)
{
    pvh_quarantine *own = pvh_own_quarantine;
    /* There is room for one block more at any time. */
    if (own == NULL || own->is_busy
        || (own->count < own->most_blocks && own->bytes <= own->most_bytes)) {
        return NULL;
    }
    own->is_busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    pvh_block *out = pvh_put_right(&own->held[own->first]);
    own->bytes -= out->size;
    own->first = (own->first + 1) & (own->most_blocks - 1);
    own->count--;
    /* It is the next to go, and was not touched for a while. */
    __builtin_prefetch(own->held[own->first].block);
    __builtin_prefetch((const char *)own->held[own->first].block + 64);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    own->is_busy = 0;
    return out;
}

/* At the end of a thread: returns all, one after the other, and holds none from then on. */
pvh_block *pvh_hold_no_more(void);

/* Look at those of the calling thread, or of all of them if none of them runs. */
void pvh_look_at_held(void);
void pvh_look_at_all_held(void);

#endif
