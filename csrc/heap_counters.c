#include "heap_counters.h"

#include "heap_slots.h"

pvh_totals pvh_total;
__thread int64_t pvh_bytes_of_thread;

void
pvh_raise_peak(uint64_t bytes)
{
    uint64_t peak = __atomic_load_n(&pvh_total.peak_bytes, __ATOMIC_RELAXED);
    while (bytes > peak
           && !__atomic_compare_exchange_n(&pvh_total.peak_bytes, &peak, bytes, 1,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

/* Counted when asked for, which is seldom; a million slots take a millisecond. */
static uint64_t
live_blocks(void)
{
    uint64_t blocks = 0;
    uint32_t count = pvh_slot_count();
    for (uint32_t slot = 0; slot < count; slot++) {
        blocks += pvh_entry_at(slot) & PVH_IS_LIVE;
    }
    return blocks;
}

pvh_counters
pvh_counters_now(void)
{
    return (pvh_counters){
        .bytes = __atomic_load_n(&pvh_total.bytes, __ATOMIC_RELAXED),
        .blocks = live_blocks(),
        .peak_bytes = __atomic_load_n(&pvh_total.peak_bytes, __ATOMIC_RELAXED),
        .allocations = __atomic_load_n(&pvh_total.allocations, __ATOMIC_RELAXED),
    };
}

void
pvh_reset_peak(void)
{
    uint64_t bytes = __atomic_load_n(&pvh_total.bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&pvh_total.peak_bytes, bytes, __ATOMIC_RELAXED);
}

int64_t
pvh_thread_bytes(void)
{
    return pvh_bytes_of_thread;
}
