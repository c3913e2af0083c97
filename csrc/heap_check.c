#include "heap_check.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "heap_blocks.h"
#include "heap_child.h"
#include "heap_events.h"
#include "heap_guards.h"
#include "heap_index.h"
#include "heap_kept.h"
#include "heap_mark.h"
#include "heap_options.h"
#include "heap_pages.h"
#include "heap_quarantine.h"
#include "heap_ranges.h"
#include "heap_slots.h"
#include "heap_threads.h"

/* What a clone makes is of no test. */
static const uint32_t OF_CLONE = UINT32_MAX;

enum { MOST_TEXT = 16 * 1024 * 1024 };

/* Shared by the process and its clone: no descriptor that a test could count. */
typedef struct {
    int is_done;
    pvh_account account;
    size_t lost_count;
    size_t text_length;
    pvh_event_table events;
    pvh_lost lost[PVH_MOST_LOST];
    char text[MOST_TEXT];
} results;

static results *shared[PVH_CHECKS];
static results *own;

/* What was made for tests before this one is not looked at by checks. */
static uint32_t first_test;
static uintptr_t stack_that_keeps;

void
pvh_look_since(uint32_t test)
{
    first_test = test;
}

int
pvh_prepare_check(int which)
{
    if (shared[which] == NULL) {
        shared[which] = pvh_new_shared_pages(sizeof *shared[which]);
    }
    if (shared[which] == NULL) {
        return -1;
    }
    memset(shared[which], 0, offsetof(results, lost));
    return 0;
}

void
pvh_forget_checks(void)
{
    memset(shared, 0, sizeof shared);
}

void
pvh_have_stack_keep(uintptr_t from)
{
    stack_that_keeps = from;
}

void
pvh_enter_clone(int which)
{
    pvh_mode_now = PVH_IS_CLONE;
    pvh_test_of_thread = OF_CLONE;
    own = shared[which];
    pvh_note_events_in(&own->events);
    /* What is mapped from here on is the engine's own. */
    pvh_read_ranges();
}

static double
seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
list(size_t place)
{
    uintptr_t address = pvh_indexed.blocks[place].address;
    pvh_block *block = pvh_block_at(address);
    if (!pvh_is_looked_for(block->test) || block->test == OF_CLONE
        || block->slot == PVH_NO_SLOT) {
        return;
    }
    pvh_entry entry = pvh_entry_at(block->slot);
    if (entry & PVH_IS_KNOWN) {
        return;
    }
    own->account.lost_blocks++;
    own->account.lost_bytes += block->size;
    if (own->lost_count == PVH_MOST_LOST) {
        own->account.unlisted++;
        return;
    }
    uint32_t keeper = pvh_keeper_of((uint32_t)place);
    own->lost[own->lost_count++] = (pvh_lost){
        .address = address,
        .size = block->size,
        .caller = block->caller,
        .keeper = keeper == place ? 0 : pvh_indexed.blocks[keeper].address,
        .test = block->test,
        .in_thread = block->in_thread,
        .slot = block->slot,
        .entry = entry,
    };
}

/* Its frame is below all that the clone does from here on. */
__attribute__((noinline)) static uint64_t
mark(void)
{
    uintptr_t own = (uintptr_t)__builtin_frame_address(0);
    return pvh_mark_reached(stack_that_keeps ? stack_that_keeps : own, stack_that_keeps != 0,
                            first_test);
}

void
pvh_find_lost(void)
{
    if (first_test == 0) {
        pvh_look_at_red_zones(PVH_ANY_TEST);
        pvh_look_at_all_held();
    }
    double start = seconds();
    if (pvh_build_index(first_test) < 0) {
        return;
    }
    double indexed = seconds();
    uint64_t roots = mark();
    if (roots == UINT64_MAX) {
        return;
    }
    if (pvh_mark_kept() < 0) {
        return;
    }
    for (size_t i = 0; i < pvh_indexed.count; i++) {
        if (!(pvh_marks[i] & PVH_IS_REACHED)) {
            list(i);
        }
    }
    own->account.blocks = pvh_indexed.count;
    own->account.root_bytes = roots;
    own->account.index_seconds = indexed - start;
    own->account.mark_seconds = seconds() - indexed;
    __atomic_store_n(&own->is_done, 1, __ATOMIC_RELEASE);
}

int
pvh_say(const char *text, size_t length)
{
    if (own == NULL || length > MOST_TEXT - own->text_length) {
        return -1;
    }
    memcpy(own->text + own->text_length, text, length);
    own->text_length += length;
    return 0;
}

int
pvh_is_done(int which)
{
    return shared[which] != NULL && __atomic_load_n(&shared[which]->is_done, __ATOMIC_ACQUIRE);
}

pvh_account
pvh_account_of(int which)
{
    return shared[which]->account;
}

size_t
pvh_lost_of(int which, const pvh_lost **first)
{
    *first = shared[which]->lost;
    return shared[which]->lost_count;
}

size_t
pvh_text_of(int which, const char **first)
{
    *first = shared[which]->text;
    return shared[which]->text_length;
}

void
pvh_acknowledge(const pvh_lost *lost)
{
    pvh_know(lost->slot, lost->entry);
}

void
pvh_look_at_guards(uint32_t test)
{
    if (pvh_guards_now == PVH_GUARDS_OFF) {
        return;
    }
    /* A thread of no test, as plugins have it, may free and unmap its own blocks meanwhile; a slot
       tells these apart by the last 8 bits of the number, which is 0. */
    if (pvh_threads_of_tests() == 0 && (pvh_threads_alive() == 0 || (uint8_t)test != 0)) {
        pvh_look_at_red_zones(test);
    }
    pvh_look_at_held();
}

size_t
pvh_take_events_of(int which, pvh_event *into, size_t most)
{
    if (which == PVH_NO_CHECK) {
        return pvh_take_events(&pvh_events_of_process, into, most);
    }
    return shared[which] == NULL ? 0 : pvh_take_events(&shared[which]->events, into, most);
}

uint64_t
pvh_missed_events(void)
{
    return __atomic_load_n(&pvh_events_of_process.missed, __ATOMIC_RELAXED);
}
