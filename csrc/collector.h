/* The garbage collector's lists, which keep every container in sight. */
#ifndef PVG_COLLECTOR_H
#define PVG_COLLECTOR_H

/* Call with the GIL. Returns -1 with an exception set if there is none. */
int pvg_find_collector(void);

/* Which objects are taken out of the lists. */
enum {
    PVG_UNTRACKS_NOTHING,
    PVG_UNTRACKS_EVERYTHING,
    /* Much faster where most objects are frozen (gc.freeze). */
    PVG_UNTRACKS_WHAT_IS_NOT_FROZEN,
    /* But what is stale in them, and points to what was lost, is overwritten. */
    PVG_UNTRACKS_NOTHING_AND_FORGETS,
};

/* Takes objects out of the lists and out of sight of weak references, for good: only for a clone,
   which ends without using them. One to which nobody has a reference is lost then. */
void pvg_untrack(int which);

/* Lets weak references see again, so that Python code can run. */
void pvg_restore_weakrefs(void);

#endif
