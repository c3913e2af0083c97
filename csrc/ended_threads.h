/* Threads that have come to an end for Python, and not for the kernel yet. */
#ifndef PVG_ENDED_THREADS_H
#define PVG_ENDED_THREADS_H

/* Waits a moment for those of tests, before a clone is made for the native engine: on the stack of
   such a thread is what it has worked with. Call with the GIL. */
void pvg_wait_for_ended_threads(void);

#endif
