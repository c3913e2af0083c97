/* What malloc has given out, to the byte, as the C library counts it. */
#ifndef PVG_MALLOC_NUMBERS_H
#define PVG_MALLOC_NUMBERS_H

typedef struct {
    unsigned long long allocated; /* bytes in blocks, with what malloc adds to each */
    unsigned long long held;      /* bytes that malloc has from the kernel */
} pvg_malloc_numbers;

/* Both are 0 where the C library cannot say (musl), or its malloc is replaced.

   glibc counts the freed blocks that a thread keeps for itself as given out (tcache). How many
   these are changes with everything that a program does; so they are made as many as can be, and
   always add up to the same. */
pvg_malloc_numbers pvg_count_malloc(void);

#endif
