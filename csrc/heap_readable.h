/* Pages that the kernel lists as readable and are not: guards that glibc 2.42 has below the stacks
   of threads (MADV_GUARD_INSTALL of Linux 6.13; /proc/self/maps does not tell), and what a mapping
   has beyond the end of its file (mmap(2), SIGBUS). */
#ifndef PVH_READABLE_H
#define PVH_READABLE_H

#include <stdint.h>

/* The end of the pages that can be read from `start` on, at most `end`; `start` if it is in none.
   It reads a byte of each. For a process with one thread. */
uintptr_t pvh_readable_up_to(uintptr_t start, uintptr_t end);

/* The page behind the one in which an address lies. */
uintptr_t pvh_next_page(uintptr_t address);

#endif
