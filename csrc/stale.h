/* Stale pointers: memory that the interpreter will overwrite before it reads it.

   A lost object stays in sight of a leak check for as long as one is left. For
   a clone of the process, which does not need that memory any more. */
#ifndef PVG_STALE_H
#define PVG_STALE_H

/* Call before there is a clone. Returns -1 with an exception of Python's. */
int pvg_find_stale_pointers(void);

/* In the clone, with the GIL. The last is for each object of the collector's. */
void pvg_forget_dead_slots(void);
void pvg_forget_free_lists(void);
void pvg_forget_kept_frame(void *object);

#endif
