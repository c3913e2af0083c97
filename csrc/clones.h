/* A clone of the process that checks for leaks while the process goes on. */
#ifndef PVG_CLONES_H
#define PVG_CLONES_H

/* Clones that can be at work at the same time. */
enum { PVG_CLONES = 3 };

/* What a clone does before its check, and after: either may be NULL. */
typedef struct {
    void (*prepare)(void *);
    /* Where the blocks that were lost are listed first: see lost_blocks.h. May print
       to the log. Has some seconds of processor time. */
    void (*explain)(void *);
    void *prepare_argument, *explain_argument;
    const char *log;
    long offset;
} pvg_clone_work;

/* Call with the GIL. Returns the clone's process id, or -1 with errno. The loss
   records go to valgrind's log, under that id; with the heap engine, to the results of its
   check of the same place (heap.h).

   `which` is the clone's place, from 0 to PVG_CLONES - 1; if it `waits`, it
   checks when pvg_wake_clone is called, or is killed and never does.

   wait() and waitpid(-1, ...) do not see it, nor does its end send a signal:
   reap it with waitpid(pid, ..., __WCLONE). */
int pvg_clone_and_check(int which, int waits, pvg_clone_work work);
void pvg_wake_clone(int which);

/* Whether the clone has done its check, and the bytes that it found definitely
   or indirectly lost. */
int pvg_clone_has_checked(int which);
unsigned long pvg_clone_leaked(int which);

#endif
