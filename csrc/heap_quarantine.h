/* Freed blocks that a thread keeps for a while, so that a write to one is seen. */
#ifndef PVH_QUARANTINE_H
#define PVH_QUARANTINE_H

#include "heap_blocks.h"

/* Takes a freed block; whether it did. */
int pvh_hold(pvh_block *block);
/* Returns one that has been here for long enough, NULL if none has. */
pvh_block *pvh_let_go(void);
/* At the end of a thread: returns all, one after the other, and holds none from then on. */
pvh_block *pvh_hold_no_more(void);

/* Look at those of the calling thread, or of all of them if none of them runs. */
void pvh_look_at_held(void);
void pvh_look_at_all_held(void);

#endif
