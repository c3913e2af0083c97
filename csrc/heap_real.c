/* For RTLD_NEXT. */
#define _GNU_SOURCE
#include "heap_real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#ifndef __GLIBC__

static struct {
    void *(*malloc)(size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void (*free)(void *);
} real;

static _Alignas(16) char store[1 << 14];
static size_t stored;

static void *
from_store(size_t size)
{
    size_t room = (size + 15) & ~(size_t)15;
    size_t start = __atomic_fetch_add(&stored, room, __ATOMIC_RELAXED);
    return start + room <= sizeof store ? store + start : NULL;
}

static int
is_stored(const void *block)
{
    return (uintptr_t)block - (uintptr_t)store < sizeof store;
}

static int
is_found(void)
{
    static int looks;
    if (real.free == NULL && !__atomic_exchange_n(&looks, 1, __ATOMIC_ACQ_REL)) {
        *(void **)&real.malloc = dlsym(RTLD_NEXT, "malloc");
        *(void **)&real.realloc = dlsym(RTLD_NEXT, "realloc");
        *(void **)&real.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
        *(void **)&real.free = dlsym(RTLD_NEXT, "free");
    }
    return real.free != NULL;
}

void *
pvh_real_malloc(size_t size)
{
    return is_found() ? real.malloc(size) : from_store(size);
}

/* Not the C library's own: musl's takes its block from malloc, which is ours (calloc.c). */
void *
pvh_real_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = pvh_real_malloc(bytes);
    return block == NULL ? NULL : memset(block, 0, bytes);
}

void *
pvh_real_realloc(void *block, size_t size)
{
    if (!is_stored(block)) {
        return is_found() ? real.realloc(block, size) : from_store(size);
    }
    void *moved = pvh_real_malloc(size);
    size_t rest = (size_t)(store + sizeof store - (char *)block);
    return moved == NULL ? NULL : memcpy(moved, block, size < rest ? size : rest);
}

void *
pvh_real_memalign(size_t alignment, size_t size)
{
    return is_found() ? real.aligned_alloc(alignment, size) : NULL;
}

void
pvh_real_free(void *block)
{
    if (!is_stored(block) && is_found()) {
        real.free(block);
    }
}

#endif

size_t
pvh_real_size(void *block)
{
    static size_t (*usable_size)(void *);
    if (usable_size == NULL) {
        *(void **)&usable_size = dlsym(RTLD_NEXT, "malloc_usable_size");
    }
    return usable_size == NULL ? 0 : usable_size(block);
}
