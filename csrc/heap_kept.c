#include "heap_kept.h"

#include <stddef.h>

#include "heap_index.h"
#include "heap_mark.h"
#include "heap_pages.h"

/* Of a block that is kept, the one that leads to it, to which no other one leads. */
static uint32_t *keepers;
/* Blocks that are to be followed. */
static uint32_t *waiting;

uint32_t
pvh_keeper_of(uint32_t place)
{
    return pvh_marks[place] & PVH_IS_KEPT ? keepers[place] : place;
}

/* Marks a lost block and whatever it leads to, but what has the mark already. */
static void
follow(uint32_t first, unsigned char mark)
{
    size_t waiting_count = 0;
    waiting[waiting_count++] = first;
    pvh_marks[first] |= mark;
    while (waiting_count > 0) {
        uint32_t place = waiting[--waiting_count];
        uintptr_t start = pvh_indexed.blocks[place].address;
        uintptr_t end = pvh_end_of_pointers(start, pvh_indexed.blocks[place].size);
        /* A block begins where a word does. */
        const volatile uintptr_t *word = (const volatile uintptr_t *)start;
        for (; (uintptr_t)(word + 1) <= end; word++) {
            uint32_t other = pvh_block_of(*word);
            if (other == PVH_NO_BLOCK || pvh_marks[other] & (PVH_IS_REACHED | mark)) {
                continue;
            }
            pvh_marks[other] |= mark;
            keepers[other] = first;
            waiting[waiting_count++] = other;
        }
    }
}

static int
is_large(size_t place)
{
    enum { LARGE = 1024 };
    return pvh_indexed.blocks[place].size > LARGE;
}

int
pvh_mark_kept(void)
{
    enum { WAS_FOLLOWED = 4, IS_FIRST = 8 };
    keepers = pvh_new_pages((pvh_indexed.count + 1) * sizeof *keepers);
    size_t lost = 0;
    for (size_t place = 0; place < pvh_indexed.count; place++) {
        lost += !(pvh_marks[place] & PVH_IS_REACHED);
    }
    waiting = pvh_new_pages((lost + 1) * sizeof *waiting);
    if (keepers == NULL || waiting == NULL) {
        return -1;
    }
    /* No block leads to a first one that was followed before it, but one that was followed later
       may. So they are followed once more, the last of them first: what is met then is kept. Of
       blocks in a circle, to which no other leads, one remains (memcheck's manual, 4.2.8): a small
       one if there is any, as that is the object, and a large one what it works with. */
    for (int large = 0; large <= 1; large++) {
        for (size_t place = 0; place < pvh_indexed.count; place++) {
            if (is_large(place) == large && !(pvh_marks[place] & (PVH_IS_REACHED | WAS_FOLLOWED))) {
                pvh_marks[place] |= IS_FIRST;
                follow((uint32_t)place, WAS_FOLLOWED);
            }
        }
    }
    for (int large = 1; large >= 0; large--) {
        for (size_t place = pvh_indexed.count; place-- > 0;) {
            if (is_large(place) == large && pvh_marks[place] & IS_FIRST
                && !(pvh_marks[place] & PVH_IS_KEPT)) {
                follow((uint32_t)place, PVH_IS_KEPT);
                pvh_marks[place] &= (unsigned char)~PVH_IS_KEPT;
            }
        }
    }
    return 0;
}
