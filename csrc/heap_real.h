/* The allocator behind the engine, which is the C library's. */
#ifndef PVH_REAL_H
#define PVH_REAL_H

#include <stddef.h>

#include <stdlib.h>

#ifdef __GLIBC__
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);
#define pvh_real_malloc __libc_malloc
#define pvh_real_calloc __libc_calloc
#define pvh_real_realloc __libc_realloc
#define pvh_real_memalign __libc_memalign
#define pvh_real_free __libc_free
#else
/* Others have no names for them: they are looked up, and what the look-up itself asks for comes
   from a small store that is never given back. */
void *pvh_real_malloc(size_t size);
void *pvh_real_calloc(size_t count, size_t size);
void *pvh_real_realloc(void *block, size_t size);
void *pvh_real_memalign(size_t alignment, size_t size);
void pvh_real_free(void *block);
#endif

/* The bytes that there are in a block. */
size_t pvh_real_size(void *block);

/* Whether a block has a mapping of its own, which goes away with it. */
static inline int
pvh_is_mapped(const void *block)
{
#ifdef __GLIBC__
    /* IS_MMAPPED in the word before (malloc/malloc.c). */
    return (((const size_t *)block)[-1] & 2) != 0;
#else
    (void)block;
    return 0;
#endif
}

#endif
