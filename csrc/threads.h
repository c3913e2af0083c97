/* Threads that tests start.

   A thread has a stack of its own, without the frame of the test. Valgrind lets
   this module wrap pthread_create (its manual, 3.3), so that each thread runs
   in the frame of the test that started it. */
#ifndef PVG_THREADS_H
#define PVG_THREADS_H

/* The number for threads that are started from now on, -1 for none; returns
   the one before. */
int pvg_number_for_threads(int number);

/* Threads with a number so far, and those of them that have not ended. */
unsigned long pvg_threads_started(void);
unsigned long pvg_threads_alive(void);

#endif
