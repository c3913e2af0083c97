/* The lock of the interpreter (GIL), which a clone must not be asked for. */
#ifndef PVG_INTERPRETER_LOCK_H
#define PVG_INTERPRETER_LOCK_H

/* Before a clone is made, with the lock, which is then to be given up once. A thread that has waited
   for it for the switch interval asks for it; in the clone, where that thread is not, it would be
   given up and never come back. Returns the interval, in seconds, 0 if there are no others. */
double pvg_let_others_go_first(void);
/* After that, in the process. */
void pvg_let_others_interrupt(double interval);

#endif
