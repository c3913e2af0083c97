/* The table of the functions of the engine (heap.h), and the preparation of the process. */

#include <malloc.h>
#include <pthread.h>
#include <stddef.h>

#include "heap.h"
#include "heap_check.h"
#include "heap_child.h"
#include "heap_counters.h"
#include "heap_mappings.h"
#include "heap_mark.h"
#include "heap_options.h"
#include "heap_pages.h"
#include "heap_readable.h"
#include "heap_threads.h"

static const pvh_engine engine = {
    .version = PVH_VERSION,
    .set_test = pvh_set_test,
    .test = pvh_test,
    .counters = pvh_counters_now,
    .reset_peak = pvh_reset_peak,
    .thread_bytes = pvh_thread_bytes,
    .usage = pvh_usage_now,
    .reset_peaks = pvh_reset_peaks,
    .live_of = pvh_live_of,
    .mapping_counters = pvh_mapping_counters_now,
    .reset_mapping_peak = pvh_reset_mapping_peak,
    .mappings_of = pvh_mappings_of,
    .look_at_guards = pvh_look_at_guards,
    .take_events = pvh_take_events_of,
    .missed_events = pvh_missed_events,
    .threads_of = pvh_threads_of,
    .list_threads = pvh_list_threads,
    .prepare_check = pvh_prepare_check,
    .enter_clone = pvh_enter_clone,
    .take_weakly = pvh_take_weakly,
    .find_lost = pvh_find_lost,
    .look_since = pvh_look_since,
    .follow_forks = pvh_follow_forks,
    .begin_fork = pvh_begin_fork,
    .report_check = pvh_report_check,
    .limit_pointers = pvh_limit_pointers,
    .say = pvh_say,
    .is_done = pvh_is_done,
    .account = pvh_account_of,
    .lost = pvh_lost_of,
    .text = pvh_text_of,
    .acknowledge = pvh_acknowledge,
    .is_readable = pvh_is_readable,
};

__attribute__((visibility("default"))) const pvh_engine *pvh_find_engine(void);

const pvh_engine *
pvh_find_engine(void)
{
    return pvh_mode_of_process() == PVH_PASSES_THROUGH ? NULL : &engine;
}

/* One arena, so that the heap is what the kernel calls so, and no memory between blocks looks
   like memory of the program's (mallopt(3)). */
static void
begin_fork(void)
{
    pvh_unlock_mappings();
    pvh_forget_threads();
    pvh_begin_any_fork();
}

__attribute__((constructor)) static void
begin(void)
{
    if (pvh_mode_of_process() != PVH_TRACKS) {
        return;
    }
    pvh_note_own_variables();
    pthread_atfork(pvh_lock_mappings, pvh_unlock_mappings, begin_fork);
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
#endif
    pvh_begin_program();
}
