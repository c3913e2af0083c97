/* A clone of the process that checks for leaks while the process goes on. */
#ifndef PVG_CLONES_H
#define PVG_CLONES_H

/* Call with the GIL. Returns the clone's process id, or -1 with errno; one
   clone at a time. The loss records go to valgrind's log, under that id.

   wait() and waitpid(-1, ...) do not see it, nor does its end send a signal:
   reap it with waitpid(pid, ..., __WCLONE). */
int pvg_clone_and_check(void);

/* Whether the last clone has done its check, and the bytes that it found
   definitely or indirectly lost. */
int pvg_clone_has_checked(void);
unsigned long pvg_clone_leaked(void);

#endif
