/* Deques, whose blocks of 64 places still name what was popped. */
#ifndef PVG_DEQUES_H
#define PVG_DEQUES_H

/* Call before there is a clone. Returns -1 with a Python exception. */
int pvg_find_deques(void);

/* In the clone, with the GIL; the second is for each object that the collector knows. */
void pvg_forget_blocks_of_deques(void);
void pvg_forget_room_in_deque(void *object);

#endif
