/* Anonymous mappings (mmap(2)), but for those of the C library and the loader. */

/* For mremap and MAP_ANONYMOUS. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "counting_numbers.h"

typedef struct {
    uintptr_t start, stop;
} range;

enum { MOST_MAPPINGS = 1 << 14, PAGE = 4096 };

/* Its pages are there only when they are written to. */
static range mappings[MOST_MAPPINGS];
static size_t mapping_count;
static int is_locked;

static void
add_mapping(uintptr_t start, uintptr_t stop)
{
    if (start < stop && mapping_count < MOST_MAPPINGS) {
        mappings[mapping_count++] = (range){start, stop};
        pvg_add_mapped((int64_t)(stop - start));
    }
}

/* Returns whether there was any; where only a part of one lies in the range, the rest stays. */
static int
take_out(uintptr_t start, uintptr_t stop)
{
    int is_any = 0;
    for (size_t i = mapping_count; i-- > 0;) {
        range each = mappings[i];
        if (each.stop <= start || stop <= each.start) {
            continue;
        }
        is_any = 1;
        mappings[i] = mappings[--mapping_count];
        pvg_add_mapped(-(int64_t)(each.stop - each.start));
        add_mapping(each.start, start < each.start ? each.start : start);
        add_mapping(stop > each.stop ? each.stop : stop, each.stop);
    }
    return is_any;
}

static uintptr_t
end_of(void *address, size_t length)
{
    return (uintptr_t)address + ((length + PAGE - 1) & ~(size_t)(PAGE - 1));
}

/* Valgrind runs one thread at a time: who waits gives way. */
static void
lock(void)
{
    while (__atomic_exchange_n(&is_locked, 1, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
}

static void
unlock(void)
{
    __atomic_store_n(&is_locked, 0, __ATOMIC_RELEASE);
}

static void *
map(const char *name, void **known, void *hint, size_t length, int rights, int flags, int file,
    off_t offset)
{
    void *(*next)(void *, size_t, int, int, int, off_t);
    *(void **)&next = pvg_next(known, name);
    void *address = next(hint, length, rights, flags, file, offset);
    if (address != MAP_FAILED) {
        lock();
        /* What was there was replaced. */
        take_out((uintptr_t)address, end_of(address, length));
        if (flags & MAP_ANONYMOUS) {
            add_mapping((uintptr_t)address, end_of(address, length));
        }
        unlock();
    }
    return address;
}

REPLACED void *
mmap(void *hint, size_t length, int rights, int flags, int file, off_t offset)
{
    static void *known;
    return map("mmap", &known, hint, length, rights, flags, file, offset);
}

#ifdef __GLIBC__
REPLACED void *
mmap64(void *hint, size_t length, int rights, int flags, int file, off64_t offset)
{
    static void *known;
    return map("mmap64", &known, hint, length, rights, flags, file, offset);
}
#endif

REPLACED int
munmap(void *address, size_t length)
{
    NEXT("munmap", int, void *, size_t);
    /* Before, as another thread may be given the range at once. */
    lock();
    take_out((uintptr_t)address, end_of(address, length));
    unlock();
    return next(address, length);
}

REPLACED void *
mremap(void *address, size_t old_length, size_t length, int flags, ...)
{
    NEXT("mremap", void *, void *, size_t, size_t, int, ...);
    va_list rest;
    va_start(rest, flags);
    void *wanted = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
    va_end(rest);
    void *moved = next(address, old_length, length, flags, wanted);
    if (moved != MAP_FAILED) {
        lock();
        if (take_out((uintptr_t)address, end_of(address, old_length))) {
            add_mapping((uintptr_t)moved, end_of(moved, length));
        }
        unlock();
    }
    return moved;
}
