/* For RTLD_NEXT. */
#define _GNU_SOURCE
#include "counting_numbers.h"

#include <dlfcn.h>
#include <malloc.h>

#include "counting.h"

/* Bytes, but for the last. */
static uint64_t heap, mapped, peak, blocks;
static __thread int64_t of_thread, peak_of_thread;

pvg_counts pvg_counts_of_process(void);
void pvg_reset_peaks_of_process(void);

REPLACED pvg_counts
pvg_counts_of_process(void)
{
    uint64_t bytes = __atomic_load_n(&heap, __ATOMIC_RELAXED);
    return (pvg_counts){
        .bytes = bytes + __atomic_load_n(&mapped, __ATOMIC_RELAXED),
        .peak_bytes = __atomic_load_n(&peak, __ATOMIC_RELAXED),
        .thread_bytes = of_thread,
        .thread_peak_bytes = peak_of_thread,
        .heap_bytes = bytes,
        .blocks = __atomic_load_n(&blocks, __ATOMIC_RELAXED),
    };
}

REPLACED void
pvg_reset_peaks_of_process(void)
{
    __atomic_store_n(&peak, pvg_counts_of_process().bytes, __ATOMIC_RELAXED);
    peak_of_thread = of_thread;
}

static void
raise_peak(void)
{
    uint64_t now = __atomic_load_n(&heap, __ATOMIC_RELAXED)
                   + __atomic_load_n(&mapped, __ATOMIC_RELAXED);
    uint64_t most = __atomic_load_n(&peak, __ATOMIC_RELAXED);
    while (now > most
           && !__atomic_compare_exchange_n(&peak, &most, now, 1, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED)) {
    }
}

void
pvg_add_mapped(int64_t bytes)
{
    __atomic_add_fetch(&mapped, (uint64_t)bytes, __ATOMIC_RELAXED);
    raise_peak();
}

void
pvg_add(int64_t bytes)
{
    __atomic_add_fetch(&heap, (uint64_t)bytes, __ATOMIC_RELAXED);
    of_thread += bytes;
    if (of_thread > peak_of_thread) {
        peak_of_thread = of_thread;
    }
    raise_peak();
}

void
pvg_add_blocks(int number)
{
    __atomic_add_fetch(&blocks, (uint64_t)(int64_t)number, __ATOMIC_RELAXED);
}

void
pvg_count_made(size_t size)
{
    pvg_add_blocks(1);
    pvg_add((int64_t)size);
}

void
pvg_count_freed(void *block)
{
    pvg_add_blocks(-1);
    pvg_add(-(int64_t)malloc_usable_size(block));
}

void *
pvg_next(void **known, const char *name)
{
    if (*known == NULL) {
        *known = dlsym(RTLD_NEXT, name);
    }
    return *known;
}
