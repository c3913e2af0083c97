/* How many references there are: what only a debug build of CPython counts. */
#ifndef PVG_REFERENCES_H
#define PVG_REFERENCES_H

/* The references to all objects of a list, less the one that the list has to each, and the items
   that lists, dicts and sets among them hold. `objects` is a Python list; call with the GIL.

   An object that lives for ever, from 3.12 on, counts nothing. The items stand for references to
   what the garbage collector does not know, and to such objects. */
long long pvg_sum_references(void *objects);

#endif
