/* How many references there are: what only a debug build of CPython counts. */
#ifndef PVG_REFERENCES_H
#define PVG_REFERENCES_H

/* The references to all objects of a list, less the one that the list has to each, and the items
   that lists, dicts and sets among them hold. `objects` is a Python list; call with the GIL.

   An object that lives for ever, from 3.12 on, counts nothing. The items stand for references to
   what the garbage collector does not know, and to such objects. */
long long pvg_sum_references(void *objects);

/* The same for all objects that the garbage collector knows, with all references to each, and
   without a list of them: ten times as fast. `freeze` is gc.freeze; it is called first, as it
   brings them all into one ring. -1 where there is no such ring as in CPython 3.10 to 3.14, as in
   free-threaded builds. */
long long pvg_sum_frozen_references(void *freeze);

/* The items alone. */
long long pvg_sum_frozen_items(void *freeze);

/* Has both leave out the objects of a list from now on, in place of those of the last call. What
   collects all objects (gc.unfreeze) has it count them again. */
void pvg_leave_out(void *objects, void *freeze);

#endif
