/* Stack frames that say where a block was allocated.

   Valgrind records the stack of every allocation. A test that runs below
   pvg_inside_test leaves that name in the stack of each of its blocks, so a
   leak check that comes later can still tell them from others. */
#ifndef PVG_FRAMES_H
#define PVG_FRAMES_H

/* Both call a Python callable that takes nothing and must not raise. */
void pvg_inside_test(void *callable);
void pvg_outside_tests(void *callable);

#endif
