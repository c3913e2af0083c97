/* Exact numbers: what is allocated in the process, and at most. */
#ifndef PVH_COUNTERS_H
#define PVH_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"
#include "heap_atomic.h"

/* Each in a cache line of its own. */
typedef struct {
    _Alignas(64) uint64_t bytes; /* made, less those freed: below 0 if others made them */
    uint64_t allocations;
} pvh_own_totals;

typedef struct {
    pvh_own_totals of[2];      /* by owner (heap_atomic.h) */
    uint64_t peak_bytes;
    uint64_t mapped_bytes;     /* by mmap(2), but of files */
    uint64_t peak_of_all;      /* blocks and these mappings together, since reset_peaks() */
} pvh_totals;

#pragma GCC visibility push(hidden)
extern pvh_totals pvh_total;
#pragma GCC visibility pop
extern __thread int64_t pvh_bytes_of_thread __attribute__((tls_model("initial-exec")));
extern __thread int64_t pvh_peak_of_thread __attribute__((tls_model("initial-exec")));

void pvh_raise_peaks(uint64_t bytes);

static inline void
pvh_count_made(size_t size)
{
    pvh_bytes_of_thread += (int64_t)size;
    if (pvh_bytes_of_thread > pvh_peak_of_thread) {
        pvh_peak_of_thread = pvh_bytes_of_thread;
    }
    uint32_t owner = pvh_owner;
    pvh_own_totals *own = &pvh_total.of[owner];
    pvh_add(&own->allocations, 1, owner);
    uint64_t bytes = pvh_add(&own->bytes, size, owner)
                     + __atomic_load_n(&pvh_total.of[!owner].bytes, __ATOMIC_RELAXED);
    uint64_t all = bytes + __atomic_load_n(&pvh_total.mapped_bytes, __ATOMIC_RELAXED);
    if (bytes > __atomic_load_n(&pvh_total.peak_bytes, __ATOMIC_RELAXED)
        || all > __atomic_load_n(&pvh_total.peak_of_all, __ATOMIC_RELAXED)) {
        pvh_raise_peaks(bytes);
    }
}

static inline void
pvh_count_freed(size_t size)
{
    pvh_bytes_of_thread -= (int64_t)size;
    pvh_add(&pvh_total.of[pvh_owner].bytes, -(uint64_t)size, pvh_owner);
}

/* Bytes that were mapped; unmapped if they are negative. */
void pvh_count_mapped(int64_t bytes);

pvh_usage pvh_usage_now(void);
void pvh_reset_peaks(void);
size_t pvh_live_of(uint32_t first, uint32_t last, pvh_live *into, size_t most);

pvh_counters pvh_counters_now(void);
void pvh_reset_peak(void);
int64_t pvh_thread_bytes(void);

#endif
