/* For syscall and dl_iterate_phdr. */
#define _GNU_SOURCE
#include "heap_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, MOST_RANGES = 2048 };

/* An empty range has no start. */
static pvh_own_range ranges[MOST_RANGES];
static size_t range_count;

static void
note(uintptr_t start, uintptr_t end)
{
    size_t count = __atomic_load_n(&range_count, __ATOMIC_RELAXED);
    for (size_t i = 0; i < count && i < MOST_RANGES; i++) {
        uintptr_t empty = 0;
        if (__atomic_compare_exchange_n(&ranges[i].start, &empty, start, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            __atomic_store_n(&ranges[i].end, end, __ATOMIC_RELEASE);
            return;
        }
    }
    size_t place = __atomic_fetch_add(&range_count, 1, __ATOMIC_RELAXED);
    if (place < MOST_RANGES) {
        ranges[place].end = end;
        __atomic_store_n(&ranges[place].start, start, __ATOMIC_RELEASE);
    }
}

static void *
map(size_t bytes, int flags)
{
    /* Not by mmap, which the engine counts for the program. */
    long address = syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
                           flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    if (address == -1) {
        return NULL;
    }
    note((uintptr_t)address, ((uintptr_t)address + bytes + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    return (void *)address;
}

/* Of one of the object files of the process: whether it is this one. */
static int
note_variables(struct dl_phdr_info *object, size_t unused, void *nothing)
{
    (void)unused, (void)nothing;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (uintptr_t)ranges - start < part->p_memsz) {
            /* The program has none of these names: there, its own variables are beside. */
            if (object->dlpi_name[0] != '\0') {
                note(start & ~(uintptr_t)(PAGE - 1),
                     (start + part->p_memsz + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
            }
            return 1;
        }
    }
    return 0;
}

void
pvh_note_own_variables(void)
{
    dl_iterate_phdr(note_variables, NULL);
}

void *
pvh_new_pages(size_t bytes)
{
    return map(bytes, MAP_PRIVATE);
}

void *
pvh_new_shared_pages(size_t bytes)
{
    return map(bytes, MAP_SHARED);
}

void
pvh_give_pages_back(void *pages, size_t bytes)
{
    size_t count = __atomic_load_n(&range_count, __ATOMIC_RELAXED);
    for (size_t i = 0; i < count && i < MOST_RANGES; i++) {
        if (ranges[i].start == (uintptr_t)pages) {
            __atomic_store_n(&ranges[i].end, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&ranges[i].start, 0, __ATOMIC_RELEASE);
        }
    }
    syscall(SYS_munmap, pages, bytes);
}

pvh_own_range
pvh_own_range_behind(uintptr_t address)
{
    pvh_own_range first = {UINTPTR_MAX, UINTPTR_MAX};
    size_t count = __atomic_load_n(&range_count, __ATOMIC_RELAXED);
    for (size_t i = 0; i < count && i < MOST_RANGES; i++) {
        if (ranges[i].start != 0 && ranges[i].end > address && ranges[i].start < first.start) {
            first = ranges[i];
        }
    }
    return first;
}
