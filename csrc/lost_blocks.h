/* Blocks that have been lost, and the objects in them. */
#ifndef PVG_LOST_BLOCKS_H
#define PVG_LOST_BLOCKS_H

/* Has valgrind list the blocks of each loss record that is definitely lost, by
   the records of this process that a leak check has just printed. Allocates
   nothing: from the next allocation on, valgrind does not know them any more.

   In the name of the log, `%p` stands for the process id and `%%` for a per cent
   sign; `offset` is where to begin. */
void pvg_list_lost_blocks(const char *log, long offset);

/* Returns the object in a block, a borrowed reference, or NULL. Whatever is in
   the block, nothing is read that is not there. */
void *pvg_object_in(char *block, size_t size);

#endif
