#include "heap_events.h"

#include "heap_child.h"
#include "heap_report.h"

pvh_event_table pvh_events_of_process;
static pvh_event_table *current = &pvh_events_of_process;

void
pvh_note_events_in(pvh_event_table *table)
{
    current = table;
}

void
pvh_note_event(const pvh_event *event)
{
    /* At once, as nobody knows how a child will end. */
    if (pvh_is_child && current == &pvh_events_of_process) {
        pvh_report_event(event);
    }
    uint64_t number = __atomic_load_n(&current->noted, __ATOMIC_RELAXED);
    do {
        if (number - __atomic_load_n(&current->taken, __ATOMIC_ACQUIRE) >= PVH_MOST_EVENTS) {
            __atomic_fetch_add(&current->missed, 1, __ATOMIC_RELAXED);
            return;
        }
    } while (!__atomic_compare_exchange_n(&current->noted, &number, number + 1, 1,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    size_t place = number % PVH_MOST_EVENTS;
    current->places[place].event = *event;
    __atomic_store_n(&current->places[place].number, number + 1, __ATOMIC_RELEASE);
}

size_t
pvh_take_events(pvh_event_table *table, pvh_event *into, size_t most)
{
    size_t count = 0;
    while (count < most) {
        uint64_t number = table->taken;
        size_t place = number % PVH_MOST_EVENTS;
        if (__atomic_load_n(&table->places[place].number, __ATOMIC_ACQUIRE) != number + 1) {
            break;
        }
        into[count++] = table->places[place].event;
        __atomic_store_n(&table->taken, number + 1, __ATOMIC_RELEASE);
    }
    return count;
}
