/* The table of live blocks: a slot for each.

   It has no lock, so that a signal handler may allocate, and a fork or a clone may be taken
   while other threads do. */
#ifndef PVH_SLOTS_H
#define PVH_SLOTS_H

#include <stdint.h>

#include "heap_atomic.h"

/* From the top: 44 bits of an address (a sixteenth of it), the last 8 of the number of the test,
   10 that change whenever the slot is used again, whether the block is known to be lost, and
   whether there is one. In a slot without a block, a reference to the next of these stands in
   the place of the address. */
typedef uint64_t pvh_entry;

enum { PVH_IS_LIVE = 1, PVH_IS_KNOWN = 2, PVH_NO_SLOT = 0xFFFFFFFF };

static inline uintptr_t
pvh_address_of(pvh_entry entry)
{
    return (uintptr_t)(entry >> 20 << 4);
}

static inline int
pvh_may_be_of_test(pvh_entry entry, uint32_t test)
{
    return (uint8_t)(entry >> 12) == (uint8_t)test;
}

#pragma GCC visibility push(hidden)
/* All slots, a part at a time: the program may limit its addresses (RLIMIT_AS), and what was put by
   for many more blocks would be missing then. */
enum { PVH_PART_BITS = 20, PVH_PART = 1 << PVH_PART_BITS, PVH_MOST_PARTS = 256 };
extern pvh_entry *pvh_parts[PVH_MOST_PARTS];
extern uint32_t pvh_used_slots;
/* The slots that are free again, by owner (heap_atomic.h): from the top, a number that changes with
   each use, as others may have taken and given back the first one meanwhile; then the first slot,
   counted from 1. The main thread's are those that it has taken itself, so that it never gathers
   what others could use. */
extern uint64_t pvh_free_slots[2];
#pragma GCC visibility pop

/* Of a slot that was ever used. */
static inline pvh_entry *
pvh_slot_place(uint32_t slot)
{
    return &pvh_parts[slot >> PVH_PART_BITS][slot & (PVH_PART - 1)];
}

/* Of the calling thread, which has no free ones: a slot that is for anyone, or one that was never
   used. */
uint32_t pvh_other_slot(void);

static inline pvh_entry
pvh_entry_of(uintptr_t address, uint32_t test, pvh_entry before)
{
    static const pvh_entry GENERATION = 0xFFC, NEXT_GENERATION = 0x4;
    return (pvh_entry)address >> 4 << 20 | (pvh_entry)(uint8_t)test << 12
           | ((before + NEXT_GENERATION) & GENERATION) | PVH_IS_LIVE;
}

/* Returns the first of an owner's free slots, PVH_NO_SLOT if there is none. */
static inline uint32_t
pvh_take_free_slot(uint32_t owner)
{
    uint64_t *first = &pvh_free_slots[owner];
    uint64_t head = __atomic_load_n(first, __ATOMIC_ACQUIRE), changed;
    uint32_t slot;
    do {
        slot = (uint32_t)head - 1;
        if (slot == PVH_NO_SLOT) {
            break;
        }
        /* If another thread has taken it by now this is nothing of the kind, and not used. */
        uint32_t next = (uint32_t)(__atomic_load_n(pvh_slot_place(slot), __ATOMIC_RELAXED) >> 20);
        changed = ((head >> 32) + 1) << 32 | next;
    } while (!pvh_exchange(first, &head, changed, owner));
    return slot;
}

/* Returns the slot of a new block, PVH_NO_SLOT if there is no memory for it. */
static inline uint32_t
pvh_take_slot(uintptr_t address, uint32_t test)
{
    uint32_t slot = pvh_take_free_slot(pvh_owner);
    if (__builtin_expect(slot == PVH_NO_SLOT, 0)) {
        slot = pvh_other_slot();
        if (slot == PVH_NO_SLOT) {
            return slot;
        }
    }
    pvh_entry *place = pvh_slot_place(slot);
    __atomic_store_n(place, pvh_entry_of(address, test, *place), __ATOMIC_RELEASE);
    return slot;
}

/* Whether the slot was that of the block: it is not any more, but free for its owner. */
static inline int
pvh_leave_slot(uint32_t slot, uintptr_t address, uint32_t owner)
{
    if (slot >= __atomic_load_n(&pvh_used_slots, __ATOMIC_RELAXED)) {
        return 0;
    }
    pvh_entry *place = pvh_slot_place(slot);
    pvh_entry entry = __atomic_load_n(place, __ATOMIC_RELAXED);
    if (!(entry & PVH_IS_LIVE) || pvh_address_of(entry) != address) {
        return 0;
    }
    uint64_t *first = &pvh_free_slots[owner];
    uint64_t head = __atomic_load_n(first, __ATOMIC_RELAXED), changed;
    do {
        /* Live no more, and the rest as it was but for the address. */
        __atomic_store_n(place, (pvh_entry)(uint32_t)head << 20 | (entry & 0xFFC),
                         __ATOMIC_RELEASE);
        changed = ((head >> 32) + 1) << 32 | (slot + 1);
    } while (!pvh_exchange(first, &head, changed, owner));
    return 1;
}

/* As long as no other thread uses it. */
void pvh_change_slot(uint32_t slot, uintptr_t address, uint32_t test);
/* If the entry is as it was, the block in it is known to be lost from now on. */
void pvh_know(uint32_t slot, pvh_entry entry);

/* Slots from 0 on that were ever used. */
uint32_t pvh_slot_count(void);
pvh_entry pvh_entry_at(uint32_t slot);

/* Of whoever looks at all blocks in the order of the slots: each lies far from the one before, so
   fetch some of them at a time into the processor's cache. */
static inline void
pvh_fetch_block_soon(uint32_t slot, uint32_t count)
{
    enum { SOON = 8, HEAD = 32 };
    if (slot + SOON < count) {
        /* Of a slot that is free this is nothing's, and the processor takes no notice. */
        uintptr_t address = pvh_address_of(*pvh_slot_place(slot + SOON));
        __builtin_prefetch((const void *)(address - HEAD));
        __builtin_prefetch((const void *)(address + HEAD));
    }
}

#endif
