/* Generators, coroutines and asynchronous generators, whose frames lie in them from 3.11 on. */
#ifndef PVG_GENERATORS_H
#define PVG_GENERATORS_H

/* Call before there is a clone. Returns -1 with a Python exception. */
int pvg_find_generators(void);

/* A frame that has ended still names its variables, and one that waits what it has taken from its
   stack. In the clone, with the GIL, for each object that the collector knows. */
void pvg_forget_dead_variables(void *object);

#endif
