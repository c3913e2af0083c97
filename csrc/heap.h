/* The native heap engine, as the process that runs tests sees it.

   The preloaded library (csrc/heap_*.c) has this table of functions; the compiled module finds
   it by dlsym. Numbers of tests begin at 1; 0 stands for what was made outside of tests. */
#ifndef PVH_HEAP_H
#define PVH_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* A block that was lost. */
typedef struct {
    uintptr_t address;
    size_t size;         /* as the program asked for it */
    uintptr_t caller;    /* where the function that made it goes on */
    uintptr_t keeper;    /* the lost block that leads to it, 0 if none does */
    uint32_t test;       /* the number of the test that made it */
    uint32_t in_thread;  /* whether a thread made it that was started while tests ran */
    uint32_t slot;       /* these two for acknowledge() */
    uint64_t entry;
} pvh_lost;

/* A mapping that the program has made by mmap(2), in whole pages. */
typedef struct {
    uintptr_t address;
    size_t length;
    uintptr_t caller;
    uint32_t test;
    uint32_t is_file;
} pvh_mapping;

typedef struct {
    uint64_t bytes;
    uint64_t mappings;
    uint64_t peak_bytes;     /* since reset_mapping_peak() */
    uint64_t unlisted;       /* mappings for which there was no room, so far */
} pvh_mapping_counters;

typedef enum {
    PVH_OVERFLOW = 1,      /* past the end, or before the beginning */
    PVH_WRITE_AFTER_FREE,
    PVH_DOUBLE_FREE,
    PVH_INVALID_FREE,      /* of what is no block's beginning */
} pvh_kind;

/* What the guards have seen. */
typedef struct {
    uint32_t kind;         /* pvh_kind */
    uint32_t maker;        /* the number of the test that made the block, 0 if none did */
    uint32_t seen_in;      /* and of that for which the thread worked that saw it */
    uint32_t length;       /* bytes from the first to the last that was overwritten */
    uintptr_t address;     /* of the block, or what was to be freed if it is in none */
    size_t size;
    int64_t offset;        /* of the first byte, or of what was to be freed, from the address */
    uintptr_t made_by;     /* where the function that made the block goes on */
    uintptr_t seen_by;     /* the same of the one that frees it; 0 if the guards were looked at */
    unsigned char written[32]; /* the first of what stands there now */
} pvh_event;

/* What a check looked at, and what it took. */
typedef struct {
    uint64_t blocks;         /* live ones */
    uint64_t root_bytes;
    uint64_t lost_blocks;    /* of tests, and not acknowledged */
    uint64_t lost_bytes;
    uint64_t unlisted;       /* of the lost blocks, those for which there was no room */
    double index_seconds;
    double mark_seconds;
} pvh_account;

/* Exact numbers of the whole process. */
typedef struct {
    uint64_t bytes;          /* live, as the program asked for them */
    uint64_t blocks;
    uint64_t peak_bytes;     /* since reset_peak() */
    uint64_t allocations;    /* so far */
} pvh_counters;

/* What is in use, and was at most since reset_peaks(), in bytes. */
typedef struct {
    uint64_t bytes;          /* live blocks and anonymous mappings of the process */
    uint64_t peak_bytes;
    int64_t thread_bytes;    /* blocks that the calling thread has made, less those it has freed */
    int64_t thread_peak_bytes;
} pvh_usage;

/* A live block. */
typedef struct {
    uintptr_t caller;        /* where the function that made it goes on */
    size_t size;             /* as the program asked for it */
    uint32_t test;
    uint32_t in_thread;      /* whether a thread made it that was started while tests ran */
} pvh_live;

typedef struct {
    unsigned version;        /* PVH_VERSION */

    /* The number of the calling thread, which the threads that it starts inherit. */
    void (*set_test)(uint32_t number);
    uint32_t (*test)(void);

    pvh_counters (*counters)(void);
    void (*reset_peak)(void);
    /* Live bytes that the calling thread has allocated, less those that it has freed. */
    int64_t (*thread_bytes)(void);
    pvh_usage (*usage)(void);
    void (*reset_peaks)(void);
    /* Lists at most so many of the live blocks of tests from the first number to the last, and
       returns how many there are. No other thread may run meanwhile. */
    size_t (*live_of)(uint32_t first, uint32_t last, pvh_live *into, size_t most);

    pvh_mapping_counters (*mapping_counters)(void);
    void (*reset_mapping_peak)(void);
    /* Lists at most so many of those that a test has made and that are still there. */
    size_t (*mappings_of)(uint32_t test, pvh_mapping *into, size_t most);

    /* Looks at the guards of the blocks of a test, unless other threads run, and at the freed
       blocks that the calling thread has kept. */
    void (*look_at_guards)(uint32_t test);
    /* Takes at most so many events of this process, or of a check, if `which` is one of
       PVH_CHECKS. */
    size_t (*take_events)(int which, pvh_event *into, size_t most);
    /* Events for which there was no room. */
    uint64_t (*missed_events)(void);

    /* Threads that run and work for a test. */
    uint32_t (*threads_of)(uint32_t test);
    /* Lists at most so many of the threads that tests have started and that run, as pthread_self()
       has them. */
    size_t (*list_threads)(uintptr_t *into, size_t most);

    /* A check, in a clone of the process, `which` of PVH_CHECKS. In the process, before the
       clone is made; -1 if there is no memory: */
    int (*prepare_check)(int which);
    /* In the clone, before anything else: from here on nothing of it reaches the allocator,
       whose locks other threads may have held. */
    void (*enter_clone)(int which);
    /* In the clone, before the check: what lies there keeps no block of a test. */
    void (*take_weakly)(void *start, void *end);
    /* In the clone: finds the blocks of tests that nothing points to. */
    void (*find_lost)(void);
    /* In the process: from now on, checks take as reached what was made for tests before this one,
       or for none; 0 ends that. It is several times as fast, and misses what is kept by a block
       that is lost itself. */
    void (*look_since)(uint32_t test);
    /* In the process: of blocks whose second word is this, as it is that of objects of a type, only
       so many bytes at the beginning have pointers in them. */
    void (*limit_pointers)(uintptr_t second_word, size_t bytes);
    /* In the clone: adds to the text that the process reads; -1 if there is no room. */
    int (*say)(const char *text, size_t length);
    /* In the process: its forks are to report what is found in them, each into a file of the
       directory that is named like it, in lines (heap_report.h); NULL ends that. */
    void (*follow_forks)(const char *directory);
    /* In a fork, before it goes on. */
    void (*begin_fork)(void);
    /* In a child of the process: reports what a check has found. */
    void (*report_check)(int which);
    /* In either: the results. */
    int (*is_done)(int which);
    pvh_account (*account)(int which);
    size_t (*lost)(int which, const pvh_lost **first);
    size_t (*text)(int which, const char **first);
    /* In the process: takes a lost block as known, so that no later check lists it. */
    void (*acknowledge)(const pvh_lost *lost);

    /* Whether memory is mapped and readable. */
    int (*is_readable)(const void *address, size_t size);
} pvh_engine;

enum { PVH_VERSION = 8, PVH_CHECKS = 3, PVH_NO_CHECK = -1, PVH_MOST_LOST = 1 << 14 };

/* The one symbol besides the replaced ones: it takes nothing and returns the table, NULL in a
   process that is not tracked. */
#define PVH_FIND_ENGINE "pvh_find_engine"

#endif
