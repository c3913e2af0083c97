#include "heap_slots.h"

#include <stddef.h>

#include "heap_child_python.h"
#include "heap_pages.h"

pvh_entry *pvh_slots;
uint32_t pvh_used_slots;
uint64_t pvh_free_slots[2];

/* Slots for which there are addresses, and those for which there is memory. */
static uint32_t reserved, backed;

enum { MOST = 1 << 28, FEWEST = 1 << 16, STEP = 1 << 16 };

/* Two gigabytes of addresses, or what the limits of the process allow (RLIMIT_AS). */
static int
has_addresses(void)
{
    if (__atomic_load_n(&pvh_slots, __ATOMIC_ACQUIRE) != NULL) {
        return 1;
    }
    uint32_t count = MOST;
    pvh_entry *slots = NULL;
    while (slots == NULL && count >= FEWEST) {
        slots = pvh_new_addresses(count * sizeof *slots);
        count /= 2;
    }
    pvh_entry *none = NULL;
    if (slots == NULL) {
        return 0;
    }
    if (__atomic_compare_exchange_n(&pvh_slots, &none, slots, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&reserved, count * 2, __ATOMIC_RELEASE);
    } else {
        pvh_give_pages_back(slots, 2 * (size_t)count * sizeof *slots);
    }
    return 1;
}

static int
has_memory(uint32_t slot)
{
    uint32_t end = __atomic_load_n(&backed, __ATOMIC_ACQUIRE);
    while (slot >= end) {
        if (end + STEP > __atomic_load_n(&reserved, __ATOMIC_ACQUIRE)
            || pvh_back_with_memory(&pvh_slots[end], STEP * sizeof *pvh_slots) < 0) {
            return 0;
        }
        /* If another thread does the same, nothing is lost. */
        __atomic_compare_exchange_n(&backed, &end, end + STEP, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE);
        end = __atomic_load_n(&backed, __ATOMIC_ACQUIRE);
    }
    return 1;
}

static uint32_t
fresh_slot(void)
{
    if (!has_addresses()) {
        return PVH_NO_SLOT;
    }
    enum { NOW_AND_THEN = 64 };
    if (__builtin_expect(pvh_waits_for_python, 0) && pvh_used_slots % NOW_AND_THEN == 0) {
        pvh_look_for_python();
    }
    uint32_t slot = __atomic_load_n(&pvh_used_slots, __ATOMIC_RELAXED);
    do {
        if (!has_memory(slot)) {
            return PVH_NO_SLOT;
        }
    } while (!__atomic_compare_exchange_n(&pvh_used_slots, &slot, slot + 1, 1, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return slot;
}

uint32_t
pvh_other_slot(void)
{
    uint32_t slot = pvh_take_free_slot(PVH_OF_OTHERS);
    return slot != PVH_NO_SLOT ? slot : fresh_slot();
}

void
pvh_change_slot(uint32_t slot, uintptr_t address, uint32_t test)
{
    pvh_entry *place = &pvh_slots[slot];
    __atomic_store_n(place, pvh_entry_of(address, test, *place), __ATOMIC_RELEASE);
}

void
pvh_know(uint32_t slot, pvh_entry entry)
{
    if (slot < __atomic_load_n(&pvh_used_slots, __ATOMIC_RELAXED)) {
        __atomic_compare_exchange_n(&pvh_slots[slot], &entry, entry | PVH_IS_KNOWN, 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
}

uint32_t
pvh_slot_count(void)
{
    return __atomic_load_n(&pvh_used_slots, __ATOMIC_ACQUIRE);
}

pvh_entry
pvh_entry_at(uint32_t slot)
{
    return __atomic_load_n(&pvh_slots[slot], __ATOMIC_ACQUIRE);
}
