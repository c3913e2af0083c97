/* The table of live blocks: a slot for each.

   It has no lock, so that a signal handler may allocate, and a fork or a clone may be taken
   while other threads do. */
#ifndef PVH_SLOTS_H
#define PVH_SLOTS_H

#include <stdint.h>

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

/* Returns the slot of a new block, PVH_NO_SLOT if there is no memory for it. */
uint32_t pvh_take_slot(uintptr_t address, uint32_t test);
/* Whether the slot was that of the block: it is not any more. */
int pvh_leave_slot(uint32_t slot, uintptr_t address);
/* As long as no other thread uses it. */
void pvh_change_slot(uint32_t slot, uintptr_t address, uint32_t test);
/* If the entry is as it was, the block in it is known to be lost from now on. */
void pvh_know(uint32_t slot, pvh_entry entry);

/* Slots from 0 on that were ever used. */
uint32_t pvh_slot_count(void);
pvh_entry pvh_entry_at(uint32_t slot);

#endif
