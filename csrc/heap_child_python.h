/* Python in a child process: when it has started, when it ends, and its leak check. */
#ifndef PVH_CHILD_PYTHON_H
#define PVH_CHILD_PYTHON_H

int pvh_has_python(void);

/* Whether there is one to wait for: it begins by pvh_begin_python(), and ends by
   pvh_end_child() before it takes itself apart. */
int pvh_wait_for_python(void);

#pragma GCC visibility push(hidden)
extern int pvh_waits_for_python;
#pragma GCC visibility pop
/* Whenever memory was asked for, now and then. */
void pvh_look_for_python(void);

/* Returns whether it could be done: in a thread that has the interpreter, which may be about to
   end. */
int pvh_check_python(int is_ending);

#endif
