/* Fatal signals whose handlers hide where they came from. */
#ifndef PVG_SIGNALS_H
#define PVG_SIGNALS_H

/* Has the handlers of fatal signals, such as faulthandler's, run on the stack of
   what was interrupted. From a stack of their own valgrind finds no way back, and the
   stack that it prints when they end the process would end in its second frame. */
void pvg_handle_signals_on_stack(void);

#endif
