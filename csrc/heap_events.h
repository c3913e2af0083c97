/* What the guards have seen, until it is taken. */
#ifndef PVH_EVENTS_H
#define PVH_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"

enum { PVH_MOST_EVENTS = 256 };

typedef struct {
    uint64_t noted; /* so far */
    uint64_t taken;
    uint64_t missed;
    struct {
        uint64_t number; /* of the event that is here and whole, from 1 */
        pvh_event event;
    } places[PVH_MOST_EVENTS];
} pvh_event_table;

/* Takes no lock, as a signal handler may free. */
void pvh_note_event(const pvh_event *event);
size_t pvh_take_events(pvh_event_table *table, pvh_event *into, size_t most);

extern pvh_event_table pvh_events_of_process;
/* From here on, events go to another table. */
void pvh_note_events_in(pvh_event_table *table);

#endif
