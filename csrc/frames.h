/* Stack frames that say for which test a block was allocated.

   Valgrind records the stack of every allocation. Work that is called in a
   numbered frame leaves the number in the stack of each of its blocks, so one
   leak check, whenever it comes, tells them apart. */
#ifndef PVG_FRAMES_H
#define PVG_FRAMES_H

/* Numbers begin again after these many. */
int pvg_numbers(void);

/* A function whose frame is looked for by its name: exported, so that the name
   outlasts `strip`, and ended by a number of its own in a register, so that
   neither a tail call nor the folding of functions with the same machine code
   can take it away. */
#define FRAME __attribute__((noinline, used, visibility("default")))
#define STAY(NUMBER) __asm__ volatile("" : : "r"(NUMBER) : "memory")

typedef void *(*pvg_work)(void *argument);

/* Each returns what the work returns. Valgrind's stacks end at these frames. */
void *pvg_inside_test(int number, pvg_work work, void *argument);
void *pvg_outside_tests(pvg_work work, void *argument);

/* The same for a thread that the test started: its stack ends by itself. */
void *pvg_inside_thread(int number, pvg_work work, void *argument);

#endif
