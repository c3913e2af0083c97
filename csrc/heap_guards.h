/* Guards: what tells a write past the end of a block, a write after it was freed, and a free of
   what is not to be freed. */
#ifndef PVH_GUARDS_H
#define PVH_GUARDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "heap_blocks.h"

/* Bytes behind each block. */
extern size_t pvh_red_zone;
/* What stands in freed memory: no address, and with guards no zero either. */
extern unsigned char pvh_freed_byte;

enum { PVH_RED_BYTE = 0xA5 };

static inline void
pvh_set_red_zone(char *end)
{
    memset(end, PVH_RED_BYTE, pvh_red_zone);
}

/* A stale pointer in memory that is used again would hide what was lost. */
static inline void
pvh_fill_freed(char *start, size_t size)
{
    memset(start, pvh_freed_byte, size);
}

/* Note what was overwritten, if anything was. */
void pvh_look_at_red_zone(pvh_block *block);
void pvh_look_at_freed(pvh_block *block);

void pvh_note_double_free(pvh_block *block, uintptr_t caller);
/* Whether nothing that was allocated begins there; it is noted. */
int pvh_is_invalid_free(void *address, uintptr_t caller);

#endif
