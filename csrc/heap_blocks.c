#include "heap_blocks.h"

#include <errno.h>
#include <string.h>

#include "heap_clone.h"
#include "heap_counters.h"
#include "heap_guards.h"
#include "heap_options.h"
#include "heap_quarantine.h"
#include "heap_real.h"
#include "heap_slots.h"
#include "heap_threads.h"

_Static_assert(sizeof(pvh_block) == 2 * PVH_ALIGNMENT, "a block is aligned behind it");

enum { MOST_PADDING = (1 << 30) - 1 };
static const uint32_t LIVE = 0x5EED5EED, FREED = 0xDEADF4EE;

/* A copy of a block's head, in a buffer, is not one of a block. */
static uint32_t
mark_at(const void *address, uint32_t state)
{
    return state ^ (uint32_t)((uintptr_t)address >> 4);
}

/* Of any address, this alone may be read: it is where the C library has a word of its own. */
static int
has_mark(const void *address, uint32_t state)
{
    return (uintptr_t)address % PVH_ALIGNMENT == 0
           && ((const uint32_t *)address)[-1] == mark_at(address, state);
}

static char *
real_of(pvh_block *block)
{
    return (char *)block - (size_t)block->padding * PVH_ALIGNMENT;
}

static void *
enter(char *real, size_t padding, size_t size, uintptr_t caller)
{
    char *address = real + padding + sizeof(pvh_block);
    pvh_block *block = (pvh_block *)address - 1;
    block->size = size;
    block->caller = caller;
    block->test = pvh_test_of_thread;
    block->padding = (uint32_t)(padding / PVH_ALIGNMENT) & MOST_PADDING;
    block->owner = pvh_owner & 1;
    block->in_thread = pvh_is_thread_of_test;
    block->mark = mark_at(address, LIVE);
    pvh_set_red_zone(address + size);
    /* Without a slot it is not looked for, and that is all. */
    block->slot = pvh_take_slot((uintptr_t)address, block->test);
    pvh_count_made(size);
    return address;
}

void *
pvh_make_plain(size_t size, uintptr_t caller)
{
    size_t besides = sizeof(pvh_block) + pvh_red_zone();
    if (__builtin_expect(
            size > PTRDIFF_MAX - besides || pvh_mode_now == PVH_IS_CLONE, 0)) {
        return pvh_make(size, PVH_ALIGNMENT, 0, caller);
    }
    char *real = pvh_real_malloc(besides + size);
    if (real == NULL) {
        return NULL;
    }
    pvh_fill_new(real + sizeof(pvh_block), size);
    return enter(real, 0, size, caller);
}

void *
pvh_make(size_t size, size_t alignment, int is_zeroed, uintptr_t caller)
{
    size_t padding = alignment <= 2 * PVH_ALIGNMENT ? 0 : alignment - sizeof(pvh_block);
    size_t besides = padding + sizeof(pvh_block) + pvh_red_zone();
    if (size > PTRDIFF_MAX - besides || padding / PVH_ALIGNMENT > MOST_PADDING) {
        errno = ENOMEM;
        return NULL;
    }
    char *real;
    if (__builtin_expect(pvh_mode_now == PVH_IS_CLONE, 0)) {
        real = pvh_allocate_in_clone(besides + size, alignment);
    } else if (alignment > PVH_ALIGNMENT) {
        real = pvh_real_memalign(alignment, besides + size);
        if (real != NULL && is_zeroed) {
            memset(real + padding + sizeof(pvh_block), 0, size);
        }
    } else {
        real = is_zeroed ? pvh_real_calloc(1, besides + size) : pvh_real_malloc(besides + size);
    }
    if (real != NULL && !is_zeroed) {
        pvh_fill_new(real + padding + sizeof(pvh_block), size);
    }
    return real == NULL ? NULL : enter(real, padding, size, caller);
}

/* Takes a block out of the table; whether it was there. */
static int
leave(pvh_block *block)
{
    if (block->slot != PVH_NO_SLOT
        && !pvh_leave_slot(block->slot, (uintptr_t)(block + 1), block->owner & pvh_owner)) {
        return 0;
    }
    block->mark = mark_at(block + 1, FREED);
    pvh_count_freed(block->size);
    return 1;
}

static void
give_back(pvh_block *block)
{
    pvh_real_free(real_of(block));
}

void
pvh_end_thread(void)
{
    for (pvh_block *out = pvh_hold_no_more(); out != NULL; out = pvh_hold_no_more()) {
        pvh_look_at_freed(out);
        give_back(out);
    }
}

void
pvh_release(void *address, uintptr_t caller)
{
    pvh_block *block = (pvh_block *)address - 1;
    if (!has_mark(address, LIVE) || !leave(block)) {
        if (has_mark(address, FREED)) {
            pvh_note_double_free(block, caller);
        } else if (pvh_mode_now != PVH_IS_CLONE && !pvh_is_invalid_free(address, caller)) {
            pvh_real_free(address);
        }
        return;
    }
    if (pvh_mode_now == PVH_IS_CLONE) {
        return;
    }
    pvh_look_at_red_zone(block, caller);
    if (pvh_is_mapped(real_of(block))) {
        give_back(block);
        return;
    }
    pvh_fill_freed(address, block->size);
    if (pvh_guards_now == PVH_GUARDS_OFF || !pvh_hold(block)) {
        give_back(block);
        return;
    }
    for (pvh_block *out = pvh_let_go(); out != NULL; out = pvh_let_go()) {
        pvh_look_at_freed(out);
        give_back(out);
    }
}

/* Blocks as large as this are left to the C library, which can often make them larger where they
   are. Of smaller ones none is copied by it: what it leaves behind is not overwritten. */
enum { LARGE = 32 * 1024 };

static void *
resize_in_place(pvh_block *block, size_t size, uintptr_t caller)
{
    char *address = (char *)(block + 1);
    pvh_look_at_red_zone(block, caller);
    pvh_count_freed(block->size);
    pvh_count_made(size);
    pvh_fill_freed(address + size, block->size - size);
    block->size = size;
    block->caller = caller;
    block->test = pvh_test_of_thread;
    pvh_set_red_zone(address + size);
    if (block->slot != PVH_NO_SLOT) {
        pvh_change_slot(block->slot, (uintptr_t)address, block->test);
    }
    return address;
}

static void *
resize_by_real(pvh_block *block, size_t size, uintptr_t caller)
{
    pvh_block before = *block;
    char *address = (char *)(block + 1);
    pvh_look_at_red_zone(block, caller);
    if (!leave(block)) {
        return NULL;
    }
    if (size < before.size) {
        pvh_fill_freed(address + size, before.size - size);
    }
    char *real = pvh_real_realloc(block, sizeof *block + size + pvh_red_zone());
    if (real != NULL) {
        return enter(real, 0, size, caller);
    }
    uint32_t test = pvh_test_of_thread;
    pvh_test_of_thread = before.test;
    enter((char *)block, 0, before.size, before.caller);
    pvh_test_of_thread = test;
    return NULL;
}

void *
pvh_resize(void *address, size_t size, uintptr_t caller)
{
    if (address == NULL) {
        return pvh_make(size, PVH_ALIGNMENT, 0, caller);
    }
    if (!has_mark(address, LIVE)) {
        if (has_mark(address, FREED)) {
            pvh_note_double_free((pvh_block *)address - 1, caller);
            return NULL;
        }
        if (pvh_is_invalid_free(address, caller)) {
            return NULL;
        }
        return pvh_mode_now == PVH_IS_CLONE ? NULL : pvh_real_realloc(address, size);
    }
    if (size == 0) {
        pvh_release(address, caller);
        return NULL;
    }
    pvh_block *block = (pvh_block *)address - 1;
    if (size > PTRDIFF_MAX - sizeof *block - pvh_red_zone()) {
        errno = ENOMEM;
        return NULL;
    }
    enum { NOT_WORTH_IT = 64 };
    if (size <= block->size && block->size - size < NOT_WORTH_IT) {
        return resize_in_place(block, size, caller);
    }
    int by_real = size < block->size || block->size >= LARGE;
    if (by_real && block->padding == 0 && pvh_mode_now != PVH_IS_CLONE) {
        return resize_by_real(block, size, caller);
    }
    void *moved = pvh_make(size, PVH_ALIGNMENT, 0, caller);
    if (moved != NULL) {
        memcpy(moved, address, size < block->size ? size : block->size);
        pvh_release(address, caller);
    }
    return moved;
}

size_t
pvh_size_of(void *address)
{
    if (address == NULL) {
        return 0;
    }
    return has_mark(address, LIVE) ? ((pvh_block *)address - 1)->size : pvh_real_size(address);
}
