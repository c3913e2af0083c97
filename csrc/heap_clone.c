#include "heap_clone.h"

#include <stdint.h>

#include "heap_pages.h"

/* A clone has one thread. */
void *
pvh_allocate_in_clone(size_t size, size_t alignment)
{
    enum { REGION = 64 * 1024 * 1024 };
    static char *next, *end;
    size_t wanted = size + alignment;
    if (wanted > (size_t)(end - next)) {
        size_t bytes = wanted > REGION ? wanted : REGION;
        next = pvh_new_pages(bytes);
        if (next == NULL) {
            end = NULL;
            return NULL;
        }
        end = next + bytes;
    }
    char *block = (char *)(((uintptr_t)next + alignment - 1) & ~(uintptr_t)(alignment - 1));
    next = block + size;
    return block;
}
