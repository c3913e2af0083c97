/* A timer that goes off when a test has run for too long.

   It interrupts the thread that made it, where tests run, with a real-time signal:
   no thread of its own, nothing that a forked child inherits, and the timers that
   tests know, SIGALRM's among them, stay theirs. */
#ifndef PVG_TIMER_H
#define PVG_TIMER_H

typedef void (*pvg_handler)(int);

/* What is called when a signal arrives. */
pvg_handler pvg_handler_of(int signal);

/* When the timer goes off, the C stack is printed, and both are called: one
   that writes Python's stacks down, and the interpreter's, which has Python's own
   handler called as soon as it can. `is_watched` if the parent reads what was
   written. Returns 0, or errno. */
int pvg_create_timer(int signal, pvg_handler write_stacks, pvg_handler tell_interpreter,
                     int is_watched);
void pvg_delete_timer(void);

/* Sets the timer to a time of CLOCK_MONOTONIC, in seconds. The words are printed
   above the stack. Python's handler is to call this again, or to stop the timer;
   if it has not after some seconds of grace, it cannot be called, and the process
   ends. */
void pvg_set_timer(double deadline, double grace, const char *words);
void pvg_stop_timer(void);

/* By SIGABRT. */
void pvg_end_hung_process(void);

#endif
