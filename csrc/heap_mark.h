/* Which blocks are reached, in a clone: from the roots, and from the blocks that are. */
#ifndef PVH_MARK_H
#define PVH_MARK_H

#include <stddef.h>
#include <stdint.h>

/* Of each block of the index. */
enum {
    PVH_IS_REACHED = 1,
    /* By a lost block. */
    PVH_IS_KEPT = 2,
};
extern unsigned char *pvh_marks;

/* Of blocks with such a second word, what is behind so many bytes points to nothing. */
void pvh_limit_pointers(uintptr_t second_word, size_t bytes);
/* Where the words of a block end that may be pointers. */
uintptr_t pvh_end_of_pointers(uintptr_t start, size_t size);

/* From here on a range is, as the stack of the calling thread, a weak root. */
void pvh_take_weakly(void *start, void *end);

/* Marks what the roots reach, and returns how many bytes of these there are; UINT64_MAX if there
   is no memory. Blocks of tests before `first_test`, which are not in the index, are roots. The
   stack of the calling thread, from `stack` up, is a weak root unless it keeps: of the blocks to
   which it points only those that are not looked for are reached by that. */
uint64_t pvh_mark_reached(uintptr_t stack, int stack_keeps, uint32_t first_test);

#endif
