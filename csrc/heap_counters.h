/* Exact numbers: what is allocated in the process, and at most. */
#ifndef PVH_COUNTERS_H
#define PVH_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"
#include "heap_atomic.h"

/* In a cache line of their own. */
typedef struct {
    _Alignas(64) uint64_t bytes;
    uint64_t peak_bytes;
    uint64_t allocations;
} pvh_totals;

#pragma GCC visibility push(hidden)
extern pvh_totals pvh_total;
#pragma GCC visibility pop
extern __thread int64_t pvh_bytes_of_thread __attribute__((tls_model("initial-exec")));

void pvh_raise_peak(uint64_t bytes);

static inline void
pvh_count_made(size_t size)
{
    pvh_bytes_of_thread += (int64_t)size;
    pvh_add(&pvh_total.allocations, 1);
    uint64_t bytes = pvh_add(&pvh_total.bytes, size);
    if (bytes > __atomic_load_n(&pvh_total.peak_bytes, __ATOMIC_RELAXED)) {
        pvh_raise_peak(bytes);
    }
}

static inline void
pvh_count_freed(size_t size)
{
    pvh_bytes_of_thread -= (int64_t)size;
    pvh_add(&pvh_total.bytes, -(uint64_t)size);
}

pvh_counters pvh_counters_now(void);
void pvh_reset_peak(void);
int64_t pvh_thread_bytes(void);

#endif
