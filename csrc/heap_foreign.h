/* Blocks that the C library has given out behind the engine's back, and frees by way of it. */
#ifndef PVH_FOREIGN_H
#define PVH_FOREIGN_H

/* Whether one may begin at an address that is in no block of the engine. */
int pvh_may_be_foreign(const void *address);

#endif
