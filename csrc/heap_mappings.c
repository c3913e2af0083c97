/* For mremap, MAP_ANONYMOUS and syscall. */
#define _GNU_SOURCE
#include "heap_mappings.h"

#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap_counters.h"
#include "heap_options.h"
#include "heap_pages.h"
#include "heap_threads.h"

/* What the C library and the loader map themselves does not come by here. */
#define REPLACED __attribute__((visibility("default")))
#define CALLER ((uintptr_t)__builtin_return_address(0))

enum { MOST_MAPPINGS = 1 << 16, PAGE = 4096 };

static pvh_mapping *mappings;
static size_t count;
static pvh_mapping_counters total;

static int is_locked;

void
pvh_lock_mappings(void)
{
    while (__atomic_exchange_n(&is_locked, 1, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
}

void
pvh_unlock_mappings(void)
{
    __atomic_store_n(&is_locked, 0, __ATOMIC_RELEASE);
}

/* A signal handler that maps memory must not wait for the thread that it has interrupted. */
static void
begin(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, before);
    pvh_lock_mappings();
}

static void
end(const sigset_t *before)
{
    pvh_unlock_mappings();
    sigprocmask(SIG_SETMASK, before, NULL);
}

static size_t
whole_pages(size_t length)
{
    return (length + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static void
add(pvh_mapping added)
{
    if (mappings == NULL) {
        mappings = pvh_new_pages(MOST_MAPPINGS * sizeof *mappings);
    }
    if (mappings == NULL || count == MOST_MAPPINGS) {
        total.unlisted++;
        return;
    }
    mappings[count++] = added;
    total.bytes += added.length;
    if (!added.is_file) {
        pvh_count_mapped((int64_t)added.length);
    }
    if (total.bytes > total.peak_bytes) {
        total.peak_bytes = total.bytes;
    }
}

/* Of a mapping that only a part of the range lies in, the rest stays. */
static void
take_out(uintptr_t start, size_t length)
{
    uintptr_t stop = start + length;
    for (size_t i = count; i-- > 0;) {
        pvh_mapping each = mappings[i];
        uintptr_t each_stop = each.address + each.length;
        if (each_stop <= start || stop <= each.address) {
            continue;
        }
        mappings[i] = mappings[--count];
        total.bytes -= each.length;
        if (!each.is_file) {
            pvh_count_mapped(-(int64_t)each.length);
        }
        if (each.address < start) {
            pvh_mapping before = each;
            before.length = start - each.address;
            add(before);
        }
        if (each_stop > stop) {
            pvh_mapping behind = each;
            behind.address = stop;
            behind.length = each_stop - stop;
            add(behind);
        }
    }
}

static void
note(void *old, size_t old_length, void *address, size_t length, int is_file, uintptr_t caller)
{
    if (pvh_mode_of_process() != PVH_TRACKS) {
        return;
    }
    sigset_t before;
    begin(&before);
    if (old != NULL) {
        take_out((uintptr_t)old, whole_pages(old_length));
    }
    if (address != NULL) {
        /* What was there was replaced. */
        take_out((uintptr_t)address, whole_pages(length));
        add((pvh_mapping){(uintptr_t)address, whole_pages(length), caller, pvh_test_of_thread,
                          (uint32_t)is_file});
    }
    end(&before);
}

static void *
map(void *hint, size_t length, int rights, int flags, int file, off_t offset, uintptr_t caller)
{
    void *address = (void *)syscall(SYS_mmap, hint, length, rights, flags, file, offset);
    if (address != MAP_FAILED) {
        note(NULL, 0, address, length, !(flags & MAP_ANONYMOUS), caller);
    }
    return address;
}

REPLACED void *
mmap(void *hint, size_t length, int rights, int flags, int file, off_t offset)
{
    return map(hint, length, rights, flags, file, offset, CALLER);
}

#ifdef __GLIBC__
REPLACED void *
mmap64(void *hint, size_t length, int rights, int flags, int file, off64_t offset)
{
    return map(hint, length, rights, flags, file, offset, CALLER);
}
#endif

REPLACED int
munmap(void *address, size_t length)
{
    int result = (int)syscall(SYS_munmap, address, length);
    if (result == 0) {
        note(address, length, NULL, 0, 0, 0);
    }
    return result;
}

REPLACED void *
mremap(void *address, size_t old_length, size_t length, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *wanted = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
    va_end(rest);
    void *moved = (void *)syscall(SYS_mremap, address, old_length, length, flags, wanted);
    if (moved != MAP_FAILED) {
        note(address, old_length, moved, length, 0, CALLER);
    }
    return moved;
}

pvh_mapping_counters
pvh_mapping_counters_now(void)
{
    sigset_t before;
    begin(&before);
    pvh_mapping_counters now = total;
    now.mappings = count;
    end(&before);
    return now;
}

void
pvh_reset_mapping_peak(void)
{
    sigset_t before;
    begin(&before);
    total.peak_bytes = total.bytes;
    end(&before);
}

size_t
pvh_mappings_of(uint32_t test, pvh_mapping *into, size_t most)
{
    sigset_t before;
    size_t found = 0;
    begin(&before);
    for (size_t i = 0; i < count && found < most; i++) {
        if (mappings[i].test == test) {
            into[found++] = mappings[i];
        }
    }
    end(&before);
    return found;
}
