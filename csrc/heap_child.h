/* Processes that tests start: each reports what is found in it (heap_report.h). */
#ifndef PVH_CHILD_H
#define PVH_CHILD_H

#include <stdint.h>

/* Of the environment: the directory for reports. */
#define PVH_CHILDREN "PYTEST_HEAPCHECK_CHILDREN"

/* In the process that runs tests: its forks report into a directory from now on; NULL ends that.
   A fork in which Python goes on begins with begin_fork(). */
void pvh_follow_forks(const char *directory);
void pvh_begin_fork(void);

/* Whether this process is a child. */
#pragma GCC visibility push(hidden)
extern int pvh_is_child;
/* The number of what it makes itself, which no test has; a fork, which has the blocks of its
   parent, takes another one. */
extern uint32_t pvh_number_of_child;
#pragma GCC visibility pop

/* Whether a block with the number of a test is looked for. */
static inline int
pvh_is_looked_for(uint32_t test)
{
    return pvh_is_child ? test == pvh_number_of_child : test != 0;
}

/* When the process starts, and in a fork of a program without Python. */
void pvh_begin_program(void);
void pvh_begin_any_fork(void);
/* What was allocated before that is the interpreter's own. */
void pvh_begin_python(void);
/* Looks for what was lost, once, and reports it: at the end of an interpreter, or of the
   process. */
void pvh_end_child(int is_end_of_python);

/* What a check has found, and its clone has said. */
void pvh_report_check(int which);

#endif
