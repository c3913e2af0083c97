/* Mappings that the program has made by mmap(2), and not yet unmapped. */
#ifndef PVH_MAPPINGS_H
#define PVH_MAPPINGS_H

#include "heap.h"

/* As pvh_engine has them. */
pvh_mapping_counters pvh_mapping_counters_now(void);
void pvh_reset_mapping_peak(void);
size_t pvh_mappings_of(uint32_t test, pvh_mapping *into, size_t most);

/* A fork must not be made while another thread is at work on the list. */
void pvh_lock_mappings(void);
void pvh_unlock_mappings(void);

#endif
