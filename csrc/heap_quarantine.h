/* Freed blocks that are kept for a while, so that a write to one is seen. */
#ifndef PVH_QUARANTINE_H
#define PVH_QUARANTINE_H

#include "heap_blocks.h"

/* Takes a freed block, or none, and returns one that has been here for long enough: call again,
   with NULL, until there is none. */
pvh_block *pvh_hold(pvh_block *block);

#endif
