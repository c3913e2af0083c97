/* The deliberate defects that pytest-valgrind 0.x offered to try it out. */
#ifndef PVG_DEFECTS_H
#define PVG_DEFECTS_H

#include <stdbool.h>

/* Loses 8 bytes; their address as it was. */
unsigned long create_leak(void);

/* Decides upon a value that was never written. */
bool access_invalid(void);

#endif
