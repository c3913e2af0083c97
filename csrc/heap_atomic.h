/* Changes of a word that no other thread and no signal handler can come between.

   A process with one thread pays for no more than the latter, as the C library does. */
#ifndef PVH_ATOMIC_H
#define PVH_ATOMIC_H

#include <stddef.h>
#include <stdint.h>

/* Of glibc from 2.32 on (sys/single_threaded.h). */
extern char __libc_single_threaded __attribute__((weak));

static inline int
pvh_has_one_thread(void)
{
    return &__libc_single_threaded != NULL && __libc_single_threaded;
}

/* Whether the word was as expected, and is changed; else what it was is in `expected`. */
static inline int
pvh_exchange(uint64_t *word, uint64_t *expected, uint64_t changed)
{
#ifdef __x86_64__
    if (pvh_has_one_thread()) {
        /* One instruction, which a signal does not interrupt. */
        unsigned char is_changed;
        __asm__ volatile("cmpxchgq %3, %1\n\tsete %0"
                         : "=q"(is_changed), "+m"(*word), "+a"(*expected)
                         : "r"(changed)
                         : "cc", "memory");
        return is_changed;
    }
#endif
    return __atomic_compare_exchange_n(word, expected, changed, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* Returns the sum. */
static inline uint64_t
pvh_add(uint64_t *word, uint64_t number)
{
#ifdef __x86_64__
    if (pvh_has_one_thread()) {
        uint64_t before = number;
        __asm__ volatile("xaddq %0, %1" : "+r"(before), "+m"(*word) : : "cc", "memory");
        return before + number;
    }
#endif
    return __atomic_add_fetch(word, number, __ATOMIC_RELAXED);
}

#endif
