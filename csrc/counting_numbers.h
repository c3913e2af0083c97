/* What csrc/counting_*.c count under memcheck, which tells nobody: neither what is in use at a
   time, nor at most.

   They are preloaded, so that they stand before the C library's functions, at which memcheck's own
   stand. Each of them counts, and goes on at the C library's: as a jump, so that no frame of its
   own is in a stack. Valgrind must leave these functions alone, which it takes for another
   allocator: --soname-synonyms=somalloc=nouserintercepts (its manual, 2.5). How large a block is
   memcheck says (malloc_usable_size), to the byte. */
#ifndef PVG_COUNTING_NUMBERS_H
#define PVG_COUNTING_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#define REPLACED __attribute__((visibility("default")))

/* What fails is not counted: a request as large as this is looked at when it has come back. */
#define MAY_FAIL ((size_t)1 << 28)

/* Bytes of blocks, and of anonymous mappings. */
void pvg_add(int64_t bytes);
void pvg_add_mapped(int64_t bytes);
void pvg_add_blocks(int number);

void pvg_count_made(size_t size);
void pvg_count_freed(void *block);

/* The function of that name behind this object's, looked up once; NULL if there is none. */
void *pvg_next(void **known, const char *name);

/* Declares it as next. */
#define NEXT(NAME, RESULT, ...)                                               \
    static void *known;                                                       \
    RESULT (*next)(__VA_ARGS__);                                              \
    *(void **)&next = pvg_next(&known, NAME)

#endif
