/* The functions of the C library that give out memory, replaced (malloc(3), posix_memalign(3)). */

/* For reallocarray. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap_blocks.h"
#include "heap_options.h"
#include "heap_real.h"

#define REPLACED __attribute__((visibility("default")))
#define CALLER ((uintptr_t)__builtin_return_address(0))

static int
passes_through(void)
{
    return __builtin_expect(pvh_mode_of_process() == PVH_PASSES_THROUGH, 0);
}

REPLACED void *
malloc(size_t size)
{
    return passes_through() ? pvh_real_malloc(size) : pvh_make_plain(size, CALLER);
}

REPLACED void *
calloc(size_t count, size_t each)
{
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    return passes_through() ? pvh_real_calloc(count, each)
                            : pvh_make(size, PVH_ALIGNMENT, 1, CALLER);
}

REPLACED void *
realloc(void *block, size_t size)
{
    return passes_through() ? pvh_real_realloc(block, size) : pvh_resize(block, size, CALLER);
}

REPLACED void *
reallocarray(void *block, size_t count, size_t each)
{
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    return passes_through() ? pvh_real_realloc(block, size) : pvh_resize(block, size, CALLER);
}

REPLACED void
free(void *block)
{
    if (block == NULL) {
        return;
    }
    if (passes_through()) {
        pvh_real_free(block);
    } else {
        pvh_release(block, CALLER);
    }
}

/* C23's, which tell what they free. */
REPLACED void free_sized(void *block, size_t size);
REPLACED void free_aligned_sized(void *block, size_t alignment, size_t size);

REPLACED void
free_sized(void *block, size_t size)
{
    (void)size;
    free(block);
}

REPLACED void
free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    free(block);
}

static void *
aligned(size_t alignment, size_t size, uintptr_t caller)
{
    size_t power = PVH_ALIGNMENT;
    while (power < alignment) {
        if (power > SIZE_MAX / 2) {
            errno = EINVAL;
            return NULL;
        }
        power *= 2;
    }
    return passes_through() ? pvh_real_memalign(alignment, size)
                            : pvh_make(size, power, 0, caller);
}

REPLACED void *
memalign(size_t alignment, size_t size)
{
    return aligned(alignment, size, CALLER);
}

REPLACED void *
aligned_alloc(size_t alignment, size_t size)
{
    return aligned(alignment, size, CALLER);
}

REPLACED int
posix_memalign(void **place, size_t alignment, size_t size)
{
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) {
        return EINVAL;
    }
    int error = errno;
    void *block = aligned(alignment, size, CALLER);
    errno = error;
    if (block == NULL) {
        return ENOMEM;
    }
    *place = block;
    return 0;
}

static size_t
page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

REPLACED void *
valloc(size_t size)
{
    return aligned(page_size(), size, CALLER);
}

REPLACED void *
pvalloc(size_t size)
{
    size_t page = page_size(), padded;
    if (__builtin_add_overflow(size, page - 1, &padded)) {
        errno = ENOMEM;
        return NULL;
    }
    return aligned(page, padded & ~(page - 1), CALLER);
}

REPLACED size_t
malloc_usable_size(void *block)
{
    return passes_through() ? pvh_real_size(block) : pvh_size_of(block);
}
