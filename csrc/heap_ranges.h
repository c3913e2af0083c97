/* The memory of the process, by ranges, as the kernel lists it (/proc/self/maps, proc(5)). */
#ifndef PVH_RANGES_H
#define PVH_RANGES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uintptr_t start, end;
    int is_root;    /* writable, and not the memory of the allocator, of devices or of others */
    int is_private; /* to this process */
    int is_heap;    /* what brk(2) has made */
    int is_loader;  /* of ld.so(8), apart from the C library */
} pvh_range;

/* Reads them again. Returns -1 if that cannot be. */
int pvh_read_ranges(void);
/* In the order of their addresses: those that are readable. */
size_t pvh_ranges(const pvh_range **first);
/* The one in which an address lies, NULL if none is. */
const pvh_range *pvh_range_with(uintptr_t address);

#endif
