/* Guards: what tells a write past the end of a block, a write after it was freed, and a free of
   what is not to be freed. */
#ifndef PVH_GUARDS_H
#define PVH_GUARDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "heap_blocks.h"
#include "heap_options.h"

/* What stands behind each block; in freed memory, where it must be no address, and with guards no
   zero either; and, with full guards, in new memory. */
enum { PVH_RED_BYTE = 0xA5, PVH_FREED_BYTE = 0xDD, PVH_NEW_BYTE = 0xCB };

/* Bytes behind each block. Without guards there are some as well: the C library has the last eight
   of a block for the head of the next one, so that its pointer to that one would keep the block. */
static inline size_t
pvh_red_zone(void)
{
    static const unsigned char sizes[] = {
        [PVH_GUARDS_OFF] = 8, [PVH_GUARDS_CHEAP] = 16, [PVH_GUARDS_FULL] = 128};
    return sizes[pvh_guards_now];
}

static inline void
pvh_set_red_zone(char *end)
{
    /* Two instructions where the size is known. */
    if (__builtin_expect(pvh_guards_now == PVH_GUARDS_CHEAP, 1)) {
        memset(end, PVH_RED_BYTE, 16);
    } else if (pvh_guards_now == PVH_GUARDS_FULL) {
        memset(end, PVH_RED_BYTE, 128);
    }
}

/* A stale pointer in memory that is used again would hide what was lost. */
static inline void
pvh_fill_freed(char *start, size_t size)
{
    memset(start, pvh_guards_now == PVH_GUARDS_OFF ? 0 : PVH_FREED_BYTE, size);
}

/* The C library's lists of free chunks leave addresses in them. What the program does not write, as
   the padding of an object, would make one of another block out of that where addresses are short:
   in an interpreter that is not position-independent. */
static inline void
pvh_fill_new(char *start, size_t size)
{
    enum { LARGEST = 1024 };
    if (__builtin_expect(pvh_guards_now == PVH_GUARDS_FULL, 0)) {
        memset(start, PVH_NEW_BYTE, size);
    } else if (size <= LARGEST) {
        memset(start, 0, size);
    }
}

/* Note what was overwritten, if anything was, and put it right. The caller is where the function
   goes on that frees the block, 0 if none does. */
void pvh_look_closely_at_red_zone(pvh_block *block, uintptr_t caller);
void pvh_look_closely_at_freed(pvh_block *block);

static inline void
pvh_look_at_red_zone(pvh_block *block, uintptr_t caller)
{
    if (__builtin_expect(pvh_guards_now == PVH_GUARDS_CHEAP, 1)) {
        static const uint64_t RED = 0xA5A5A5A5A5A5A5A5;
        uint64_t words[2];
        memcpy(words, (char *)(block + 1) + block->size, sizeof words);
        if (((words[0] ^ RED) | (words[1] ^ RED)) == 0) {
            return;
        }
    }
    if (pvh_guards_now != PVH_GUARDS_OFF) {
        pvh_look_closely_at_red_zone(block, caller);
    }
}

/* Most freed blocks are small, and as they were: it is looked at sixteen bytes at a time, the last
   of which may have been looked at already. */
static inline void
pvh_look_at_freed(pvh_block *block)
{
    enum { SMALL = 256 };
    typedef uint64_t pair __attribute__((vector_size(16), may_alias));
    static const pair FREED = {0xDDDDDDDDDDDDDDDD, 0xDDDDDDDDDDDDDDDD};
    const char *start = (const char *)(block + 1);
    size_t size = block->size;
    if (size >= sizeof FREED && size <= SMALL) {
        pair last;
        memcpy(&last, start + size - sizeof last, sizeof last);
        pair others = last ^ FREED;
        for (const char *next = start; next < start + size - sizeof last; next += sizeof last) {
            others |= *(const pair *)next ^ FREED;
        }
        if ((others[0] | others[1]) == 0) {
            return;
        }
    }
    pvh_look_closely_at_freed(block);
}

void pvh_note_double_free(pvh_block *block, uintptr_t caller);
/* Whether nothing that was allocated begins there; it is noted. Otherwise it is a block of the C
   library's own. */
int pvh_is_invalid_free(void *address, uintptr_t caller);

/* The guards of all blocks of a test, or of any if it is PVH_ANY_TEST: as long as no other thread
   frees one. */
void pvh_look_at_red_zones(uint32_t test);
static const uint32_t PVH_ANY_TEST = UINT32_MAX - 1;

#endif
