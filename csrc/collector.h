/* The garbage collector's lists, which keep every container in sight. */
#ifndef PVG_COLLECTOR_H
#define PVG_COLLECTOR_H

/* Call with the GIL. Returns -1 with an exception set if there is none. */
int pvg_find_collector(void);

/* Takes every object out of the lists and out of sight of weak references, for
   good: only for a clone, which ends without using them. An object to which
   nobody has a reference is lost then. */
void pvg_untrack_everything(void);

/* Lets weak references see again, so that Python code can run. */
void pvg_restore_weakrefs(void);

#endif
