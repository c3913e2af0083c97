/* Which lost blocks are kept by others, in a clone: one of a list of them was lost, and the rest with
   it. */
#ifndef PVH_KEPT_H
#define PVH_KEPT_H

#include <stdint.h>

/* Marks, of the blocks that are not reached, those to which another one leads; -1 if there is no
   memory. */
int pvh_mark_kept(void);
/* The place of the lost block that leads to a lost one: its own if none does. */
uint32_t pvh_keeper_of(uint32_t place);

#endif
