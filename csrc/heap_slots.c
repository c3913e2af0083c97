#include "heap_slots.h"

#include <stddef.h>

#include "heap_child_python.h"
#include "heap_pages.h"

pvh_entry *pvh_parts[PVH_MOST_PARTS];
uint32_t pvh_used_slots;
uint64_t pvh_free_slots[2];

static int
has_memory(uint32_t slot)
{
    uint32_t number = slot >> PVH_PART_BITS;
    if (number >= PVH_MOST_PARTS) {
        return 0;
    }
    if (__atomic_load_n(&pvh_parts[number], __ATOMIC_ACQUIRE) != NULL) {
        return 1;
    }
    pvh_entry *part = pvh_new_pages(PVH_PART * sizeof *part), *none = NULL;
    if (part == NULL) {
        return 0;
    }
    if (!__atomic_compare_exchange_n(&pvh_parts[number], &none, part, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        /* Another thread did the same. */
        pvh_give_pages_back(part, PVH_PART * sizeof *part);
    }
    return 1;
}

static uint32_t
fresh_slot(void)
{
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
    pvh_entry *place = pvh_slot_place(slot);
    __atomic_store_n(place, pvh_entry_of(address, test, *place), __ATOMIC_RELEASE);
}

void
pvh_know(uint32_t slot, pvh_entry entry)
{
    if (slot < __atomic_load_n(&pvh_used_slots, __ATOMIC_RELAXED)) {
        __atomic_compare_exchange_n(pvh_slot_place(slot), &entry, entry | PVH_IS_KNOWN, 0,
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
    return __atomic_load_n(pvh_slot_place(slot), __ATOMIC_ACQUIRE);
}
