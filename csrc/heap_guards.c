#include "heap_guards.h"

#include "heap_events.h"
#include "heap_foreign.h"
#include "heap_slots.h"
#include "heap_threads.h"

static pvh_event
event_of(pvh_kind kind, const pvh_block *block, uintptr_t caller)
{
    return (pvh_event){
        .kind = kind,
        .maker = block->test,
        .seen_in = pvh_test_of_thread,
        .address = (uintptr_t)(block + 1),
        .size = block->size,
        .made_by = block->caller,
        .seen_by = caller,
    };
}

/* Most are as they were: each byte is like the one behind it. */
static int
is_all(const unsigned char *start, size_t size, unsigned char byte)
{
    return size == 0 || (start[0] == byte && memcmp(start, start + 1, size - 1) == 0);
}

static void
note_overwritten(pvh_event event, unsigned char *start, size_t size, unsigned char byte)
{
    size_t first = 0, end = size;
    while (first < size && start[first] == byte) {
        first++;
    }
    while (end > first && start[end - 1] == byte) {
        end--;
    }
    event.offset = (int64_t)((uintptr_t)start - event.address + first);
    event.length = (uint32_t)(end - first);
    size_t shown = end - first < sizeof event.written ? end - first : sizeof event.written;
    memcpy(event.written, start + first, shown);
    pvh_note_event(&event);
    memset(start, byte, size);
}

void
pvh_look_closely_at_red_zone(pvh_block *block, uintptr_t caller)
{
    unsigned char *end = (unsigned char *)(block + 1) + block->size;
    size_t size = pvh_red_zone();
    if (!is_all(end, size, PVH_RED_BYTE)) {
        note_overwritten(event_of(PVH_OVERFLOW, block, caller), end, size, PVH_RED_BYTE);
    }
}

void
pvh_look_closely_at_freed(pvh_block *block)
{
    unsigned char *start = (unsigned char *)(block + 1);
    if (!is_all(start, block->size, PVH_FREED_BYTE)) {
        note_overwritten(event_of(PVH_WRITE_AFTER_FREE, block, 0), start, block->size,
                         PVH_FREED_BYTE);
    }
}

void
pvh_note_double_free(pvh_block *block, uintptr_t caller)
{
    pvh_event event = event_of(PVH_DOUBLE_FREE, block, caller);
    pvh_note_event(&event);
}

/* The last live block that begins at an address or before it, by all that there are: this is
   about a defect, and seldom. */
static pvh_entry
block_before(uintptr_t address, uint32_t *slot)
{
    pvh_entry last = 0;
    uint32_t count = pvh_slot_count();
    for (uint32_t i = 0; i < count; i++) {
        pvh_entry entry = pvh_entry_at(i);
        if (entry & PVH_IS_LIVE && pvh_address_of(entry) <= address
            && pvh_address_of(entry) > pvh_address_of(last)) {
            last = entry;
            *slot = i;
        }
    }
    return last;
}

int
pvh_is_invalid_free(void *address, uintptr_t caller)
{
    uintptr_t wanted = (uintptr_t)address;
    uint32_t slot = 0;
    pvh_entry entry = block_before(wanted, &slot);
    pvh_block *block = pvh_block_at(pvh_address_of(entry));
    pvh_event event = {
        .kind = PVH_INVALID_FREE,
        .seen_in = pvh_test_of_thread,
        .address = wanted,
        .seen_by = caller,
    };
    if (entry != 0 && pvh_address_of(entry) == wanted) {
        /* What stands before it was overwritten: what it was and where it begins is not known,
           so that it stays where it is. */
        event.kind = PVH_OVERFLOW;
        event.offset = -(int64_t)sizeof *block;
        event.length = sizeof *block;
        memcpy(event.written, block, sizeof event.written);
        pvh_leave_slot(slot, wanted, PVH_OF_OTHERS);
    } else if (entry != 0 && wanted - pvh_address_of(entry) < block->size) {
        event = event_of(PVH_INVALID_FREE, block, caller);
        event.offset = (int64_t)(wanted - event.address);
    } else if (pvh_may_be_foreign(address)) {
        return 0;
    }
    pvh_note_event(&event);
    return 1;
}

void
pvh_look_at_red_zones(uint32_t test)
{
    uint32_t count = pvh_slot_count();
    for (uint32_t slot = 0; slot < count; slot++) {
        if (test == PVH_ANY_TEST) {
            pvh_fetch_block_soon(slot, count);
        }
        pvh_entry entry = pvh_entry_at(slot);
        if (!(entry & PVH_IS_LIVE) || (test != PVH_ANY_TEST && !pvh_may_be_of_test(entry, test))) {
            continue;
        }
        pvh_block *block = pvh_block_at(pvh_address_of(entry));
        if (test == PVH_ANY_TEST || block->test == test) {
            pvh_look_at_red_zone(block, 0);
        }
    }
}
