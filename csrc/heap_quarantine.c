#include "heap_quarantine.h"

#include "heap_guards.h"
#include "heap_options.h"
#include "heap_pages.h"

/* How many blocks, and of how many bytes, a thread keeps. So little that the cheap form stays in
   the processor's cache. */
typedef struct {
    uint32_t blocks; /* a power of two */
    size_t bytes;
    size_t largest;
} limits;

static const limits of_guards[] = {
    [PVH_GUARDS_OFF] = {1, 0, 0},
    [PVH_GUARDS_CHEAP] = {64, 8 * 1024, 1024},
    [PVH_GUARDS_FULL] = {64 * 1024, 32 * 1024 * 1024, 8 * 1024 * 1024},
};

__thread pvh_quarantine *pvh_own_quarantine;
/* Whether the thread has come to its end. */
static __thread int has_ended __attribute__((tls_model("initial-exec")));

enum { MOST_THREADS = 1024 };
static pvh_quarantine *of_threads[MOST_THREADS];

static size_t
pages_of(const limits *most)
{
    return sizeof(pvh_quarantine) + most->blocks * sizeof pvh_own_quarantine->held[0];
}

static void
replace_in_list(pvh_quarantine *old, pvh_quarantine *new)
{
    for (size_t i = 0; i < MOST_THREADS; i++) {
        pvh_quarantine *expected = old;
        if (__atomic_compare_exchange_n(&of_threads[i], &expected, new, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            break;
        }
    }
}

int
pvh_begin_quarantine(void)
{
    const limits *most = &of_guards[pvh_guards_now];
    pvh_quarantine *own = has_ended ? NULL : pvh_new_pages(pages_of(most));
    if (own == NULL) {
        return 0;
    }
    own->most_blocks = most->blocks;
    own->most_bytes = most->bytes;
    own->largest = most->largest;
    replace_in_list(NULL, own);
    pvh_own_quarantine = own;
    return 1;
}

pvh_block *
pvh_hold_no_more(void)
{
    pvh_quarantine *own = pvh_own_quarantine;
    has_ended = 1;
    if (own == NULL) {
        return NULL;
    }
    own->is_busy = 1;
    if (own->count > 0) {
        own->count--;
        return pvh_put_right(&own->held[(own->first + own->count) & (own->most_blocks - 1)]);
    }
    pvh_own_quarantine = NULL;
    replace_in_list(own, NULL);
    pvh_give_pages_back(own, pages_of(&of_guards[pvh_guards_now]));
    return NULL;
}

static void
look_at(const pvh_quarantine *kept)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        pvh_look_at_freed(pvh_put_right(&kept->held[(kept->first + i) & (kept->most_blocks - 1)]));
    }
}

void
pvh_look_at_held(void)
{
    if (pvh_own_quarantine != NULL && !pvh_own_quarantine->is_busy) {
        look_at(pvh_own_quarantine);
    }
}

void
pvh_look_at_all_held(void)
{
    for (size_t i = 0; i < MOST_THREADS; i++) {
        if (of_threads[i] != NULL) {
            look_at(of_threads[i]);
        }
    }
}
