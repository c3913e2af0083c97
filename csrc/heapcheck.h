/* The native heap engine of this process, if it was preloaded and is to track it. */
#ifndef PVG_HEAPCHECK_H
#define PVG_HEAPCHECK_H

#include "heap.h"

/* NULL if there is none. */
const pvh_engine *pvg_heap(void);

/* The name of the function at an address, or of the nearest before it that the object file
   exports, and the object file's; NULL where it is not known. */
typedef struct {
    const char *function;
    const char *object;
} pvg_symbol;
pvg_symbol pvg_symbol_at(uintptr_t address);

#endif
