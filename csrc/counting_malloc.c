/* The functions of the C library that give out memory (malloc(3), posix_memalign(3)). */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "counting_numbers.h"

REPLACED void *
malloc(size_t size)
{
    NEXT("malloc", void *, size_t);
    if (size >= MAY_FAIL) {
        void *block = next(size);
        if (block != NULL) {
            pvg_count_made(size);
        }
        return block;
    }
    pvg_count_made(size);
    return next(size);
}

REPLACED void *
calloc(size_t count, size_t each)
{
    NEXT("calloc", void *, size_t, size_t);
    size_t size;
    if (__builtin_mul_overflow(count, each, &size) || size >= MAY_FAIL) {
        void *block = next(count, each);
        if (block != NULL) {
            pvg_count_made(size);
        }
        return block;
    }
    pvg_count_made(size);
    return next(count, each);
}

REPLACED void *
realloc(void *block, size_t size)
{
    NEXT("realloc", void *, void *, size_t);
    size_t before = block == NULL ? 0 : malloc_usable_size(block);
    if (size >= MAY_FAIL) {
        void *moved = next(block, size);
        if (moved != NULL) {
            pvg_add_blocks(block == NULL);
            pvg_add((int64_t)size - (int64_t)before);
        }
        return moved;
    }
    if (block == NULL) {
        pvg_add_blocks(1);
    } else if (size == 0) {
        pvg_add_blocks(-1);
    }
    pvg_add((int64_t)size - (int64_t)before);
    return next(block, size);
}

/* The C library's own would call memcheck's realloc past the one here. */
REPLACED void *
reallocarray(void *block, size_t count, size_t each)
{
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, size);
}

REPLACED void
free(void *block)
{
    NEXT("free", void, void *);
    if (block != NULL) {
        pvg_count_freed(block);
    }
    next(block);
}

REPLACED void *
memalign(size_t alignment, size_t size)
{
    NEXT("memalign", void *, size_t, size_t);
    if (size >= MAY_FAIL) {
        void *block = next(alignment, size);
        if (block != NULL) {
            pvg_count_made(size);
        }
        return block;
    }
    pvg_count_made(size);
    return next(alignment, size);
}

REPLACED void *
aligned_alloc(size_t alignment, size_t size)
{
    NEXT("aligned_alloc", void *, size_t, size_t);
    void *block = next(alignment, size);  /* it fails for some alignments */
    if (block != NULL) {
        pvg_count_made(size);
    }
    return block;
}

REPLACED int
posix_memalign(void **place, size_t alignment, size_t size)
{
    NEXT("posix_memalign", int, void **, size_t, size_t);
    int error = next(place, alignment, size);
    if (error == 0) {
        pvg_count_made(size);
    }
    return error;
}
