/* Whether memory can be read. The kernel lists pages as readable that are not: guards that glibc
   2.42 has below the stacks of threads (MADV_GUARD_INSTALL of Linux 6.13; /proc/self/maps does not
   tell), and what a mapping has beyond the end of its file (mmap(2), SIGBUS). */
#ifndef PVH_READABLE_H
#define PVH_READABLE_H

#include <stddef.h>
#include <stdint.h>

/* Whether all of it can be: it is asked of the kernel, which takes a system call for each page. */
int pvh_is_readable(const void *address, size_t size);

/* The end of the pages that can be read from `start` on, at most `end`; `start` if it is in none.
   It reads a byte of each. For a process with one thread. */
uintptr_t pvh_readable_up_to(uintptr_t start, uintptr_t end);

/* The page behind the one in which an address lies. */
uintptr_t pvh_next_page(uintptr_t address);

#endif
