/* Stale pointers: memory that the interpreter will overwrite before it reads it.

   A lost object stays in sight of a leak check for as long as one is left. For
   a clone of the process, which does not need that memory any more. */
#ifndef PVG_STALE_H
#define PVG_STALE_H

/* In 3.12 each dict has a version, which is taken from a counter that goes in
   steps of 256, and so passes for a pointer into the heap sooner or later. This
   moves the counter out of the way; the sooner, the fewer dicts are left. Returns 0
   if it is not where it should be. */
int pvg_move_dict_versions(void);

/* Call before there is a clone. Returns -1 with a Python exception. */
int pvg_find_stale_pointers(void);

/* In the clone, with the GIL, when the collector knows no object any more. */
void pvg_free_kept_frames(void);
/* In the clone, with the GIL. The last two are for each object that the collector knows. */
void pvg_forget_dead_slots(void);
void pvg_take_stacks_weakly(void);
void pvg_forget_free_lists(void);
void pvg_forget_dead_places(void *object);
void pvg_forget_room_in_list(void *object);

#endif
