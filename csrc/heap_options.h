/* What the engine is to do in this process: one variable of the environment says it. */
#ifndef PVH_OPTIONS_H
#define PVH_OPTIONS_H

/* Words with commas between them: `guards=off`, `guards=on` (the default) or
   `guards=full`. Where the variable is not set, nothing is done but to pass calls through. */
#define PVH_VARIABLE "PYTEST_HEAPCHECK"

typedef enum {
    PVH_UNDECIDED,
    PVH_PASSES_THROUGH,
    PVH_TRACKS,
    PVH_IS_CLONE, /* made for a check: the allocator is not to be used any more */
} pvh_mode;

typedef enum {
    PVH_GUARDS_OFF,
    PVH_GUARDS_CHEAP,
    PVH_GUARDS_FULL,
} pvh_guards;

/* Before anything else is asked, and at any time after that. */
pvh_mode pvh_decide(void);

#pragma GCC visibility push(hidden)
extern pvh_mode pvh_mode_now;
extern pvh_guards pvh_guards_now;
#pragma GCC visibility pop

static inline pvh_mode
pvh_mode_of_process(void)
{
    return __builtin_expect(pvh_mode_now == PVH_UNDECIDED, 0) ? pvh_decide() : pvh_mode_now;
}

#endif
