#include "heap_mark.h"

#include <stddef.h>

#include "heap_blocks.h"
#include "heap_child.h"
#include "heap_index.h"
#include "heap_pages.h"
#include "heap_ranges.h"
#include "heap_readable.h"
#include "heap_slots.h"

unsigned char *pvh_marks;

/* The places of blocks that have been reached, in this order, and how many were looked into. */
static uint32_t *reached;
static size_t reached_count, done_count;

/* Memory may be in use by another thread, or by the very function that reads it: a read by way
   of volatile is one read. */
typedef const volatile uintptr_t *words;

/* Words that may point to blocks. What is looked up lies far from what was looked up before, so it
   is fetched into the processor's cache for many at a time. */
typedef struct {
    uintptr_t word;
    const uint32_t *near;
} pointer;

enum { MOST_POINTERS = 64 };
/* Among the engine's own pages: here they would be roots. */
static pointer *pointers;
static size_t pointer_count;

static void
follow_pointers(void)
{
    for (size_t i = 0; i < pointer_count; i++) {
        __builtin_prefetch(&pvh_indexed.blocks[*pointers[i].near]);
    }
    for (size_t i = 0; i < pointer_count; i++) {
        uint32_t place = pvh_block_among(pointers[i].near, pointers[i].word);
        if (place != PVH_NO_BLOCK && !pvh_marks[place]) {
            pvh_marks[place] = PVH_IS_REACHED;
            reached[reached_count++] = place;
        }
    }
    pointer_count = 0;
}

static void
look_at(uintptr_t word)
{
    const uint32_t *near = pvh_blocks_near(word);
    if (near == NULL) {
        return;
    }
    __builtin_prefetch(near);
    pointers[pointer_count++] = (pointer){word, near};
    if (pointer_count == MOST_POINTERS) {
        follow_pointers();
    }
}

static words
aligned(uintptr_t start)
{
    return (words)((start + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1));
}

static void
look_into(uintptr_t start, uintptr_t end)
{
    for (words word = aligned(start); (uintptr_t)(word + 1) <= end; word++) {
        look_at(*word);
    }
}

static uintptr_t limited_word;
static size_t limited_bytes = SIZE_MAX;

void
pvh_limit_pointers(uintptr_t second_word, size_t bytes)
{
    limited_word = second_word;
    limited_bytes = bytes;
}

uintptr_t
pvh_end_of_pointers(uintptr_t start, size_t size)
{
    int is_limited = size > limited_bytes && ((words)start)[1] == limited_word;
    return start + (is_limited ? limited_bytes : size);
}

static void
fetch_soon(size_t number)
{
    enum { SOON = 8 };
    if (number + SOON < reached_count) {
        const char *start = (const char *)pvh_indexed.blocks[reached[number + SOON]].address;
        __builtin_prefetch(start);
        __builtin_prefetch(start + 64);
    }
}

static void
look_into_reached(void)
{
    for (;;) {
        if (done_count == reached_count) {
            follow_pointers();
        }
        if (done_count == reached_count) {
            return;
        }
        fetch_soon(done_count);
        pvh_indexed_block block = pvh_indexed.blocks[reached[done_count++]];
        look_into(block.address, pvh_end_of_pointers(block.address, block.size));
    }
}

/* Roots are what lies between the blocks: the kernel lists mappings that touch as one, the C
   library's for a large block and those of others. The engine's own are left out as well. */
static uint64_t
look_between_blocks(uintptr_t start, uintptr_t end)
{
    uint64_t bytes = 0;
    size_t place = pvh_first_behind(start);
    /* One that began before may reach into it. */
    if (place > 0) {
        pvh_indexed_block before = pvh_indexed.blocks[place - 1];
        uintptr_t stop = before.address + before.size;
        start = stop > start ? stop : start;
    }
    for (; start < end; place++) {
        int is_last = place == pvh_indexed.count || pvh_indexed.blocks[place].address >= end;
        uintptr_t stop = is_last ? end : pvh_indexed.blocks[place].address;
        if (start < stop) {
            look_into(start, stop);
            bytes += stop - start;
        }
        if (is_last) {
            break;
        }
        start = stop + pvh_indexed.blocks[place].size;
    }
    return bytes;
}

static uint64_t
look_where_readable(uintptr_t start, uintptr_t end)
{
    uint64_t bytes = 0;
    while (start < end) {
        uintptr_t stop = pvh_readable_up_to(start, end);
        bytes += look_between_blocks(start, stop);
        start = stop < end ? pvh_next_page(stop) : end;
    }
    return bytes;
}

static uint64_t
look_beside_own(uintptr_t start, uintptr_t end)
{
    uint64_t bytes = 0;
    while (start < end) {
        pvh_own_range own = pvh_own_range_behind(start);
        uintptr_t stop = own.start < end ? own.start : end;
        if (start < stop) {
            bytes += look_where_readable(start, stop);
        }
        start = own.start < end ? own.end : end;
    }
    return bytes;
}

/* What the loader has unmapped again, as its cache of libraries, may now be the middle of a large
   block. To its own blocks, which are small, it may have pointers of any kind. */
static uint64_t
look_into_loader(uintptr_t start, uintptr_t end)
{
    enum { LARGE = 64 * 1024, HEAD = 64 };
    for (words word = aligned(start); (uintptr_t)(word + 1) <= end; word++) {
        uintptr_t value = *word;
        uint32_t place = pvh_block_of(value);
        if (place != PVH_NO_BLOCK
            && (pvh_indexed.blocks[place].size < LARGE
                || value - pvh_indexed.blocks[place].address < HEAD)) {
            look_at(value);
        }
    }
    return end - start;
}

static void
look_at_weakly(uintptr_t word)
{
    uint32_t place = pvh_block_of(word);
    if (place != PVH_NO_BLOCK && !pvh_marks[place]
        && !pvh_is_looked_for(pvh_block_at(pvh_indexed.blocks[place].address)->test)) {
        look_at(word);
    }
}

enum { MOST_WEAK = 1024 };
static struct {
    uintptr_t start, end;
} weak[MOST_WEAK];
static size_t weak_count;

void
pvh_take_weakly(void *start, void *end)
{
    if (weak_count < MOST_WEAK) {
        weak[weak_count].start = (uintptr_t)start;
        weak[weak_count++].end = (uintptr_t)end;
    }
}

/* They may lie in blocks: nothing of a clone needs these words any more. */
static void
forget_weak_words(void)
{
    for (size_t i = 0; i < weak_count; i++) {
        uintptr_t *word = (uintptr_t *)weak[i].start;
        for (; (uintptr_t)(word + 1) <= weak[i].end; word++) {
            uint32_t place = pvh_block_of(*word);
            if (place != PVH_NO_BLOCK
                && pvh_is_looked_for(pvh_block_at(pvh_indexed.blocks[place].address)->test)) {
                *word = 0;
            }
        }
    }
}

/* What is in no index is taken as reached: what it points to is, too. */
static uint64_t
look_into_earlier(uint32_t first_test)
{
    uint64_t bytes = 0;
    uint32_t count = pvh_slot_count();
    for (uint32_t slot = 0; slot < count; slot++) {
        pvh_fetch_block_soon(slot, count);
        pvh_entry entry = pvh_entry_at(slot);
        uintptr_t start = pvh_address_of(entry);
        if (entry & PVH_IS_LIVE && pvh_block_at(start)->test < first_test) {
            size_t size = pvh_block_at(start)->size;
            look_into(start, pvh_end_of_pointers(start, size));
            bytes += size;
        }
    }
    return bytes;
}

uint64_t
pvh_mark_reached(uintptr_t stack, int stack_keeps, uint32_t first_test)
{
    pvh_marks = pvh_new_pages(pvh_indexed.count + 1);
    reached = pvh_new_pages((pvh_indexed.count + 1) * sizeof *reached);
    pointers = pvh_new_pages(MOST_POINTERS * sizeof *pointers);
    if (pvh_marks == NULL || reached == NULL || pointers == NULL) {
        return UINT64_MAX;
    }
    forget_weak_words();
    const pvh_range *ranges, *own_stack = NULL;
    size_t count = pvh_ranges(&ranges);
    uint64_t bytes = first_test == 0 ? 0 : look_into_earlier(first_test);
    for (size_t i = 0; i < count; i++) {
        if (!ranges[i].is_root) {
            continue;
        }
        if (ranges[i].start <= stack && stack < ranges[i].end) {
            own_stack = &ranges[i];
        } else {
            bytes += ranges[i].is_loader ? look_into_loader(ranges[i].start, ranges[i].end)
                                         : look_beside_own(ranges[i].start, ranges[i].end);
            look_into_reached();
        }
    }
    if (own_stack != NULL && stack_keeps) {
        look_into(stack, own_stack->end);
    } else if (own_stack != NULL) {
        for (words word = aligned(stack); (uintptr_t)(word + 1) <= own_stack->end; word++) {
            look_at_weakly(*word);
        }
    }
    if (own_stack != NULL) {
        look_into_reached();
        bytes += own_stack->end - stack;
    }
    return bytes;
}
