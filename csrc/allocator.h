/* What Python's object allocator really is, whatever PYTHONMALLOC says. */
#ifndef PVG_ALLOCATOR_H
#define PVG_ALLOCATOR_H

/* Does every Python object have a heap block of its own, so that memcheck
   sees its bounds and its loss? Only under memcheck. */
int pvg_one_block_per_object(void);

#endif
