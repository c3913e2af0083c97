#include "heap_counters.h"

#include "heap_blocks.h"
#include "heap_slots.h"

pvh_totals pvh_total;
__thread int64_t pvh_bytes_of_thread;
__thread int64_t pvh_peak_of_thread;

static uint64_t
live_bytes(void)
{
    return __atomic_load_n(&pvh_total.of[PVH_OF_OTHERS].bytes, __ATOMIC_RELAXED)
           + __atomic_load_n(&pvh_total.of[PVH_OF_MAIN].bytes, __ATOMIC_RELAXED);
}

static void
raise_to(uint64_t *highest, uint64_t bytes)
{
    uint64_t peak = __atomic_load_n(highest, __ATOMIC_RELAXED);
    while (bytes > peak
           && !__atomic_compare_exchange_n(highest, &peak, bytes, 1, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED)) {
    }
}

void
pvh_raise_peaks(uint64_t bytes)
{
    raise_to(&pvh_total.peak_bytes, bytes);
    raise_to(&pvh_total.peak_of_all,
             bytes + __atomic_load_n(&pvh_total.mapped_bytes, __ATOMIC_RELAXED));
}

void
pvh_count_mapped(int64_t bytes)
{
    uint64_t mapped = pvh_add(&pvh_total.mapped_bytes, (uint64_t)bytes, PVH_OF_OTHERS);
    raise_to(&pvh_total.peak_of_all, mapped + live_bytes());
}

pvh_usage
pvh_usage_now(void)
{
    return (pvh_usage){
        .bytes = live_bytes() + __atomic_load_n(&pvh_total.mapped_bytes, __ATOMIC_RELAXED),
        .peak_bytes = __atomic_load_n(&pvh_total.peak_of_all, __ATOMIC_RELAXED),
        .thread_bytes = pvh_bytes_of_thread,
        .thread_peak_bytes = pvh_peak_of_thread,
    };
}

void
pvh_reset_peaks(void)
{
    __atomic_store_n(&pvh_total.peak_of_all, pvh_usage_now().bytes, __ATOMIC_RELAXED);
    pvh_peak_of_thread = pvh_bytes_of_thread;
}

size_t
pvh_live_of(uint32_t first, uint32_t last, pvh_live *into, size_t most)
{
    size_t found = 0;
    uint32_t count = pvh_slot_count();
    for (uint32_t slot = 0; slot < count; slot++) {
        pvh_entry entry = pvh_entry_at(slot);
        if (!(entry & PVH_IS_LIVE) || (first == last && !pvh_may_be_of_test(entry, first))) {
            continue;
        }
        const pvh_block *block = pvh_block_at(pvh_address_of(entry));
        if (block->test < first || block->test > last) {
            continue;
        }
        if (found < most) {
            into[found] = (pvh_live){block->caller, block->size, block->test, block->in_thread};
        }
        found++;
    }
    return found;
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
        .bytes = live_bytes(),
        .blocks = live_blocks(),
        .peak_bytes = __atomic_load_n(&pvh_total.peak_bytes, __ATOMIC_RELAXED),
        .allocations =
            __atomic_load_n(&pvh_total.of[PVH_OF_OTHERS].allocations, __ATOMIC_RELAXED)
            + __atomic_load_n(&pvh_total.of[PVH_OF_MAIN].allocations, __ATOMIC_RELAXED),
    };
}

void
pvh_reset_peak(void)
{
    __atomic_store_n(&pvh_total.peak_bytes, live_bytes(), __ATOMIC_RELAXED);
}

int64_t
pvh_thread_bytes(void)
{
    return pvh_bytes_of_thread;
}
