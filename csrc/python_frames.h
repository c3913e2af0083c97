/* Frames of Python's functions, from 3.11 on: of those that are executed, and those that lie in
   generators, coroutines and asynchronous generators. stale.h has those of 3.10. */
#ifndef PVG_PYTHON_FRAMES_H
#define PVG_PYTHON_FRAMES_H

#include <stddef.h>

/* Call before there is a clone. Returns -1 with a Python exception. */
int pvg_find_python_frames(void);

/* A frame that has ended still names its variables, and one that waits what it has taken from its
   stack. In the clone, with the GIL, for each object that the collector knows. */
void pvg_forget_dead_variables(void *object);
/* The same for the frame of a function that is executed. It has so many words for variables, and
   in all with its stack; `used` of them are in use if the frame does not say how many. If all may
   be, and the native engine is there, its stack keeps no block of a test. */
void pvg_forget_room_in_frame(void *frame, size_t variables, size_t words, size_t used);

#endif
