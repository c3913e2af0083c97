/* The program's blocks: what stands before and behind each. */
#ifndef PVH_BLOCKS_H
#define PVH_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* Stands before each block. Together with the red zone it takes 48 bytes, and the slot 8. */
typedef struct {
    /* When it is freed, the C library overwrites these sixteen bytes. */
    uintptr_t caller;
    uint32_t slot;
    /* Before this, for the sake of the alignment: a sixteenth of the bytes. */
    uint32_t padding : 30;
    uint32_t owner : 1;     /* whose slot it has (heap_atomic.h) */
    uint32_t in_thread : 1; /* made by one that was started while tests ran */

    size_t size;            /* as the program asked for it */
    uint32_t test;
    uint32_t mark;          /* whether there is a block here, mixed with the address */
} pvh_block;

enum { PVH_ALIGNMENT = 16 };

/* All of them as the functions of the C library, with where their caller goes on. The alignment
   is a power of two. */
void *pvh_make(size_t size, size_t alignment, int is_zeroed, uintptr_t caller);
/* The same without alignment and zeroes, as most are made. */
void *pvh_make_plain(size_t size, uintptr_t caller);
void *pvh_resize(void *address, size_t size, uintptr_t caller);
void pvh_release(void *address, uintptr_t caller);
size_t pvh_size_of(void *address);

/* What a thread does at its end: nothing of what it frees later is kept back. */
void pvh_end_thread(void);

static inline pvh_block *
pvh_block_at(uintptr_t address)
{
    return (pvh_block *)address - 1;
}

#endif
