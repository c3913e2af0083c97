/* Generators, coroutines and asynchronous generators, whose frames lie in them from 3.11 on. */
#ifndef PVG_GENERATORS_H
#define PVG_GENERATORS_H

#include <stddef.h>

/* Call before there is a clone. Returns -1 with a Python exception. */
int pvg_find_generators(void);

/* A frame that has ended still names its variables, and one that waits what it has taken from its
   stack. In the clone, with the GIL, for each object that the collector knows. */
void pvg_forget_dead_variables(void *object);
/* The same for the frame of a function that is traced. It has so many words for variables and
   stack; `used` of them are in use if the frame does not say how many. */
void pvg_forget_room_in_frame(void *frame, size_t words, size_t used);

#endif
