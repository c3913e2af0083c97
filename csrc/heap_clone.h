/* Memory of a clone that checks: another thread may have held the allocator's locks when it was
   made, and would never give them back. */
#ifndef PVH_CLONE_H
#define PVH_CLONE_H

#include <stddef.h>

/* Zeroed, and never given back. The alignment is a power of two. */
void *pvh_allocate_in_clone(size_t size, size_t alignment);

#endif
