/* Python callables that cffi cannot make: it drops the GIL around a call, and
   no exception passes through. */
#ifndef PVG_CALLABLES_H
#define PVG_CALLABLES_H

/* Puts them into a dict:

   inside_test(number, callable, *arguments)
   outside_tests(callable, *arguments)
       call in a frame of that number, or of none;
   clone(which, waits, untracks, prepare, explain, log, offset)
       starts a clone that calls prepare(), checks for leaks, perhaps of what only
       the collector keeps in sight (collector.h), and then calls explain(); either
       may be None.
       Returns its process id: see clones.h, and lost_blocks.h for the log;
   object_in(address, size)
       returns the number of references to the object in a block of memory and
       the object itself, None if there is none;
   sum_references(objects)
   sum_frozen_references(freeze)
       return how many references there are to the objects of a list, or to all that the
       collector knows: see references.h;
   leave_out(objects, freeze)
       leaves the objects of a list out of the latter. */
void pvg_add_callables(void *dictionary);

#endif
