#include "heap_slots.h"

#include <stddef.h>

#include "heap_pages.h"

/* Each run of slots is twice as long as the one before, and none ever moves. */
enum { FIRST_RUN = 1 << 16, FIRST_RUN_BITS = 16, RUNS = 16 };

static pvh_entry *runs[RUNS];
static uint32_t used;

/* The slots that are free again: from the top, a number that changes with each use, as others may
   have taken and given back the first one meanwhile; then the first slot, counted from 1. */
static uint64_t free_slots;

static const pvh_entry GENERATION = 0xFFC;
static const pvh_entry NEXT_GENERATION = 0x4;

static pvh_entry *
place_of(uint32_t slot)
{
    uint64_t number = (uint64_t)slot + FIRST_RUN;
    int run = 63 - __builtin_clzll(number) - FIRST_RUN_BITS;
    return &__atomic_load_n(&runs[run], __ATOMIC_ACQUIRE)[number - ((uint64_t)FIRST_RUN << run)];
}

static int
has_run_of(uint32_t slot)
{
    uint64_t number = (uint64_t)slot + FIRST_RUN;
    int run = 63 - __builtin_clzll(number) - FIRST_RUN_BITS;
    if (run >= RUNS) {
        return 0;
    }
    if (__atomic_load_n(&runs[run], __ATOMIC_ACQUIRE) != NULL) {
        return 1;
    }
    size_t bytes = ((size_t)FIRST_RUN << run) * sizeof(pvh_entry);
    pvh_entry *fresh = pvh_new_pages(bytes);
    pvh_entry *none = NULL;
    if (fresh == NULL) {
        return 0;
    }
    if (!__atomic_compare_exchange_n(&runs[run], &none, fresh, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        pvh_give_pages_back(fresh, bytes);
    }
    return 1;
}

static uint32_t
fresh_slot(void)
{
    uint32_t slot = __atomic_load_n(&used, __ATOMIC_RELAXED);
    do {
        if (!has_run_of(slot)) {
            return PVH_NO_SLOT;
        }
    } while (!__atomic_compare_exchange_n(&used, &slot, slot + 1, 1, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return slot;
}

static pvh_entry
entry_of(uintptr_t address, uint32_t test, pvh_entry before)
{
    return (pvh_entry)address >> 4 << 20 | (pvh_entry)(uint8_t)test << 12
           | ((before + NEXT_GENERATION) & GENERATION) | PVH_IS_LIVE;
}

uint32_t
pvh_take_slot(uintptr_t address, uint32_t test)
{
    uint64_t head = __atomic_load_n(&free_slots, __ATOMIC_ACQUIRE);
    uint32_t slot;
    pvh_entry *place;
    for (;;) {
        if ((uint32_t)head == 0) {
            slot = fresh_slot();
            if (slot == PVH_NO_SLOT) {
                return slot;
            }
            place = place_of(slot);
            break;
        }
        slot = (uint32_t)head - 1;
        place = place_of(slot);
        /* If another thread has taken it by now this is nothing of the kind, and not used. */
        uint32_t next = (uint32_t)(__atomic_load_n(place, __ATOMIC_RELAXED) >> 20);
        uint64_t changed = ((head >> 32) + 1) << 32 | next;
        if (__atomic_compare_exchange_n(&free_slots, &head, changed, 1, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            break;
        }
    }
    __atomic_store_n(place, entry_of(address, test, *place), __ATOMIC_RELEASE);
    return slot;
}

int
pvh_leave_slot(uint32_t slot, uintptr_t address)
{
    if (slot >= __atomic_load_n(&used, __ATOMIC_RELAXED)) {
        return 0;
    }
    pvh_entry *place = place_of(slot);
    pvh_entry entry = __atomic_load_n(place, __ATOMIC_RELAXED);
    if (!(entry & PVH_IS_LIVE) || pvh_address_of(entry) != address) {
        return 0;
    }
    uint64_t head = __atomic_load_n(&free_slots, __ATOMIC_RELAXED);
    uint64_t changed;
    do {
        __atomic_store_n(place, (pvh_entry)(uint32_t)head << 20 | (entry & GENERATION),
                         __ATOMIC_RELAXED);
        changed = ((head >> 32) + 1) << 32 | (slot + 1);
    } while (!__atomic_compare_exchange_n(&free_slots, &head, changed, 1, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return 1;
}

void
pvh_change_slot(uint32_t slot, uintptr_t address, uint32_t test)
{
    pvh_entry *place = place_of(slot);
    __atomic_store_n(place, entry_of(address, test, *place), __ATOMIC_RELEASE);
}

void
pvh_know(uint32_t slot, pvh_entry entry)
{
    if (slot < __atomic_load_n(&used, __ATOMIC_RELAXED)) {
        __atomic_compare_exchange_n(place_of(slot), &entry, entry | PVH_IS_KNOWN, 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
}

uint32_t
pvh_slot_count(void)
{
    return __atomic_load_n(&used, __ATOMIC_ACQUIRE);
}

pvh_entry
pvh_entry_at(uint32_t slot)
{
    return __atomic_load_n(place_of(slot), __ATOMIC_ACQUIRE);
}
