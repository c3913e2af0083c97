/* Memory of the engine's own, apart from the program's: no root of a check. */
#ifndef PVH_PAGES_H
#define PVH_PAGES_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed; NULL if there is none. It takes no lock and no allocator, and what is not touched
   costs nothing. */
void *pvh_new_pages(size_t bytes);
/* Shared with the forks of this process. */
void *pvh_new_shared_pages(size_t bytes);
void pvh_give_pages_back(void *pages, size_t bytes);

/* At the start: what the engine counts, and where its events were, looks like addresses. */
void pvh_note_own_variables(void);

/* The first range of them that ends behind an address; `start` is UINTPTR_MAX if there is none. */
typedef struct {
    uintptr_t start, end;
} pvh_own_range;
pvh_own_range pvh_own_range_behind(uintptr_t address);

#endif
