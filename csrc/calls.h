/* Python callables that cffi cannot make: it drops the GIL around a call, and
   no exception passes through. */
#ifndef PVG_CALLS_H
#define PVG_CALLS_H

/* Puts them into a dict:

   inside_test(number, callable, *arguments)
   outside_tests(callable, *arguments)
       call in a frame of that number, or of none;
   clone(which, waits)
       starts a clone that checks for leaks, and returns its process id: see
       clones.h. */
void pvg_add_calls(void *dictionary);

#endif
