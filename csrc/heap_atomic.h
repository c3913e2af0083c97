/* Changes of a word that no other thread and no signal handler can come between.

   The main thread has words of its own, for which it pays with no more than the latter: most of a
   suite runs in it, and a locked instruction takes ten times as long. */
#ifndef PVH_ATOMIC_H
#define PVH_ATOMIC_H

#include <stdint.h>

/* Whose words they are: an index of what there is for each. */
enum { PVH_OF_OTHERS, PVH_OF_MAIN };

/* The same of the calling thread. */
extern __thread uint32_t pvh_owner __attribute__((tls_model("initial-exec")));

/* Whether the word was as expected, and is changed; else what it was is in `expected`. */
static inline int
pvh_exchange(uint64_t *word, uint64_t *expected, uint64_t changed, uint32_t owner)
{
#ifdef __x86_64__
    if (owner == PVH_OF_MAIN) {
        /* One instruction, which a signal does not interrupt. */
        unsigned char is_changed;
        __asm__ volatile("cmpxchgq %3, %1\n\tsete %0"
                         : "=q"(is_changed), "+m"(*word), "+a"(*expected)
                         : "r"(changed)
                         : "cc", "memory");
        return is_changed;
    }
#endif
    (void)owner;
    return __atomic_compare_exchange_n(word, expected, changed, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* Returns the sum. */
static inline uint64_t
pvh_add(uint64_t *word, uint64_t number, uint32_t owner)
{
#ifdef __x86_64__
    if (owner == PVH_OF_MAIN) {
        uint64_t before = number;
        __asm__ volatile("xaddq %0, %1" : "+r"(before), "+m"(*word) : : "cc", "memory");
        return before + number;
    }
#endif
    (void)owner;
    return __atomic_add_fetch(word, number, __ATOMIC_RELAXED);
}

#endif
