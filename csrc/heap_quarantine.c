#include "heap_quarantine.h"

#include <stddef.h>

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

typedef struct {
    uint32_t first, count;
    size_t bytes;
    /* With their sizes, so that a block that stays is not looked at. */
    struct {
        pvh_block *block;
        size_t size;
    } held[];
} quarantine;

static __thread quarantine *own __attribute__((tls_model("initial-exec")));
/* Set while the thread is at work on it, as a signal handler may free; and after its end. */
static __thread int is_busy __attribute__((tls_model("initial-exec")));

enum { MOST_THREADS = 1024 };
static quarantine *of_threads[MOST_THREADS];

static size_t
pages_of(const limits *most)
{
    return sizeof(quarantine) + most->blocks * sizeof own->held[0];
}

static int
begin(const limits *most)
{
    own = pvh_new_pages(pages_of(most));
    for (size_t i = 0; own != NULL && i < MOST_THREADS; i++) {
        quarantine *none = NULL;
        if (__atomic_compare_exchange_n(&of_threads[i], &none, own, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            break;
        }
    }
    return own != NULL;
}

static pvh_block *
first_out(const limits *most)
{
    pvh_block *block = own->held[own->first].block;
    own->bytes -= own->held[own->first].size;
    own->first = (own->first + 1) & (most->blocks - 1);
    own->count--;
    return block;
}

int
pvh_hold(pvh_block *block)
{
    const limits *most = &of_guards[pvh_guards_now];
    if (block->size > most->largest || is_busy || (own == NULL && !begin(most))) {
        return 0;
    }
    is_busy = 1;
    uint32_t place = (own->first + own->count) & (most->blocks - 1);
    own->held[place].block = block;
    own->held[place].size = block->size;
    own->count++;
    own->bytes += block->size;
    is_busy = 0;
    return 1;
}

pvh_block *
pvh_let_go(void)
{
    const limits *most = &of_guards[pvh_guards_now];
    /* There is room for one block more at any time. */
    if (own == NULL || is_busy || (own->count < most->blocks && own->bytes <= most->bytes)) {
        return NULL;
    }
    is_busy = 1;
    pvh_block *out = first_out(most);
    is_busy = 0;
    return out;
}

pvh_block *
pvh_hold_no_more(void)
{
    const limits *most = &of_guards[pvh_guards_now];
    is_busy = 1;
    if (own != NULL && own->count > 0) {
        return first_out(most);
    }
    for (size_t i = 0; own != NULL && i < MOST_THREADS; i++) {
        quarantine *mine = own;
        if (__atomic_compare_exchange_n(&of_threads[i], &mine, NULL, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            break;
        }
    }
    if (own != NULL) {
        pvh_give_pages_back(own, pages_of(most));
        own = NULL;
    }
    return NULL;
}

static void
look_at(const quarantine *kept)
{
    const limits *most = &of_guards[pvh_guards_now];
    for (uint32_t i = 0; i < kept->count; i++) {
        pvh_look_at_freed(kept->held[(kept->first + i) & (most->blocks - 1)].block);
    }
}

void
pvh_look_at_held(void)
{
    if (own != NULL && !is_busy) {
        look_at(own);
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
