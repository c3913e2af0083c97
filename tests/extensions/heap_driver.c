/* Puts the native heap engine to the test, one part at a time: heap_driver PART [NUMBER]. It ends
   with 0, or says what was wrong.

   Run it with the engine preloaded, or linked with it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap.h"
#include "heap_blocks.h"

static const pvh_engine *engine;

#define REQUIRE(CONDITION)                                                                \
    do {                                                                                  \
        if (!(CONDITION)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #CONDITION);       \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* xorshift (Marsaglia 2003): the same on every machine. */
static uint64_t
next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* --- Random operations against a model --- */

typedef struct {
    unsigned char *block;
    size_t size;
    unsigned char byte; /* each of its bytes is this */
} model;

static void
verify(const model *each)
{
    for (size_t i = 0; i < each->size; i++) {
        REQUIRE(each->block[i] == each->byte);
    }
    REQUIRE(malloc_usable_size(each->block) >= each->size);
}

static size_t
random_size(uint64_t *state)
{
    uint64_t number = next(state);
    /* Most are small; one in a thousand has a mapping of its own. */
    return number % 1000 == 0 ? number >> 45 : number % 50 == 0 ? number >> 48 : number >> 57;
}

static void
fill(model *each, unsigned char *block, size_t size, uint64_t *state)
{
    REQUIRE(block != NULL);
    REQUIRE((uintptr_t)block % 16 == 0);
    *each = (model){block, size, (unsigned char)next(state)};
    memset(block, each->byte, size);
}

static void
make(model *each, uint64_t *state)
{
    size_t size = random_size(state);
    size_t alignment = (size_t)16 << next(state) % 9;
    void *block;
    switch (next(state) % 6) {
    case 0:
        block = calloc(size, 1);
        for (size_t i = 0; block != NULL && i < size; i++) {
            REQUIRE(((unsigned char *)block)[i] == 0);
        }
        break;
    case 1:
        REQUIRE(posix_memalign(&block, alignment, size) == 0);
        REQUIRE((uintptr_t)block % alignment == 0);
        break;
    case 2:
        block = aligned_alloc(alignment, size);
        REQUIRE((uintptr_t)block % alignment == 0);
        break;
    default:
        block = malloc(size);
    }
    fill(each, block, size, state);
}

static void
resize(model *each, uint64_t *state)
{
    size_t size = random_size(state);
    size_t kept = size < each->size ? size : each->size;
    unsigned char *block = realloc(each->block, size == 0 ? 1 : size);
    REQUIRE(block != NULL);
    for (size_t i = 0; i < kept; i++) {
        REQUIRE(block[i] == each->byte);
    }
    fill(each, block, size == 0 ? 1 : size, state);
}

enum { PLACES = 1000 };

static void
operate(model *places, uint64_t operations, uint64_t *state)
{
    for (uint64_t i = 0; i < operations; i++) {
        model *each = &places[next(state) % PLACES];
        if (each->block == NULL) {
            make(each, state);
        } else {
            verify(each);
            if (next(state) % 3 == 0) {
                resize(each, state);
            } else {
                free(each->block);
                each->block = NULL;
            }
        }
    }
}

static void
random_operations(uint64_t operations)
{
    static model places[PLACES];
    pvh_counters before = engine->counters();
    uint64_t state = 88172645463325252u, bytes = 0, blocks = 0;
    operate(places, operations, &state);
    for (size_t i = 0; i < PLACES; i++) {
        if (places[i].block != NULL) {
            verify(&places[i]);
            bytes += places[i].size;
            blocks++;
        }
    }
    pvh_counters after = engine->counters();
    REQUIRE(after.bytes - before.bytes == bytes);
    REQUIRE(after.blocks - before.blocks == blocks);
    for (size_t i = 0; i < PLACES; i++) {
        free(places[i].block);
    }
    REQUIRE(engine->counters().bytes == before.bytes);
    REQUIRE(engine->counters().blocks == before.blocks);
    pvh_event event;
    REQUIRE(engine->take_events(PVH_NO_CHECK, &event, 1) == 0);
}

/* --- Threads, which hand blocks to each other --- */

enum { THREADS = 4 };
static void *volatile handed[256];
static int stops;

static void *
work(void *argument)
{
    model *places = calloc(PLACES, sizeof *places);
    uint64_t state = 1 + (uint64_t)(uintptr_t)argument, rounds = 0;
    while (!__atomic_load_n(&stops, __ATOMIC_ACQUIRE) || rounds < 10) {
        operate(places, 1000, &state);
        for (size_t i = 0; i < 100; i++) {
            void *block = malloc(random_size(&state));
            free(__atomic_exchange_n(&handed[next(&state) % 256], block, __ATOMIC_ACQ_REL));
        }
        rounds++;
    }
    for (size_t i = 0; i < PLACES; i++) {
        free(places[i].block);
    }
    free(places);
    return NULL;
}

static void
start(pthread_t threads[THREADS])
{
    __atomic_store_n(&stops, 0, __ATOMIC_RELEASE);
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
    }
}

static void
stop(pthread_t threads[THREADS])
{
    __atomic_store_n(&stops, 1, __ATOMIC_RELEASE);
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    for (size_t i = 0; i < 256; i++) {
        free(handed[i]);
        handed[i] = NULL;
    }
    pvh_event event;
    REQUIRE(engine->take_events(PVH_NO_CHECK, &event, 1) == 0);
}

static void
threads_at_work(uint64_t milliseconds)
{
    pthread_t threads[THREADS];
    engine->set_test(3);
    start(threads);
    engine->set_test(0);
    REQUIRE(engine->threads_of(3) == THREADS);
    usleep((useconds_t)milliseconds * 1000);
    stop(threads);
    REQUIRE(engine->threads_of(3) == 0);
}

/* The main thread has counters and slots of its own: neither is lost by what crosses over. */

enum { AT_ONCE = 1000 };
static void *crossing[AT_ONCE];
static uint32_t highest_slot;

static void *
make_all(void *unused)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        crossing[i] = malloc(24);
        uint32_t slot = pvh_block_at((uintptr_t)crossing[i])->slot;
        highest_slot = slot > highest_slot ? slot : highest_slot;
    }
    return unused;
}

static void *
free_all(void *unused)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        free(crossing[i]);
    }
    return unused;
}

static void
elsewhere(void *(*routine)(void *))
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, routine, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

static void
crossings(uint64_t count)
{
    static model places[PLACES];
    uint64_t state = 1;
    pthread_t threads[THREADS];
    /* What the C library keeps of threads for the next ones. */
    start(threads);
    stop(threads);
    make_all(NULL);
    elsewhere(free_all);
    pvh_counters before = engine->counters();
    uint32_t highest_before = highest_slot;
    for (uint64_t i = 0; i < count; i++) {
        make_all(NULL);
        elsewhere(free_all);
    }
    for (uint64_t i = 0; i < count; i++) {
        elsewhere(make_all);
        free_all(NULL);
    }
    REQUIRE(highest_slot < highest_before + 4 * AT_ONCE);
    start(threads);
    for (uint64_t i = 0; i < count; i++) {
        operate(places, 1000, &state);
    }
    for (size_t i = 0; i < PLACES; i++) {
        free(places[i].block);
    }
    stop(threads);
    pvh_counters after = engine->counters();
    REQUIRE(after.bytes == before.bytes);
    REQUIRE(after.blocks == before.blocks);
    REQUIRE(after.allocations >= before.allocations + 2 * AT_ONCE * count);
    engine->reset_peak();
    void *volatile large = malloc(1000 * 1000);
    free(large);
    REQUIRE(engine->counters().peak_bytes == before.bytes + 1000 * 1000);
}

static void
forks(uint64_t count)
{
    static model places[PLACES];
    pthread_t threads[THREADS];
    start(threads);
    for (uint64_t i = 0; i < count; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            uint64_t state = i + 1;
            operate(places, 1000, &state);
            _exit(0);
        }
        int status;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    stop(threads);
}

/* --- Checks, in clones that are made while other threads allocate --- */

static void *volatile kept_for_good;

/* Of the C library's own, up to its last byte. */
enum { LARGE = 2008 };

/* Loses two blocks, of which one keeps the other. */
__attribute__((noinline)) static void
lose(void)
{
    engine->set_test(7);
    kept_for_good = malloc(10);
    /* The compiler leaves out what nobody can see. */
    void *volatile *volatile first = malloc(LARGE);
    first[0] = malloc(100);
    /* What the C library knows behind the first one does not keep it. */
    void *volatile behind = malloc(LARGE);
    free(behind);
    /* Nor does an event of it, which has been taken. */
    ((volatile char *)first)[LARGE] = 'x';
    engine->look_at_guards(7);
    pvh_event event;
    engine->take_events(PVH_NO_CHECK, &event, 1);
    engine->set_test(0);
}

static void
check(void)
{
    REQUIRE(engine->prepare_check(0) == 0);
    pid_t clone = (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
    REQUIRE(clone >= 0);
    if (clone == 0) {
        engine->enter_clone(0);
        free(malloc(100));
        engine->find_lost();
        engine->say("done", 4);
        _exit(0);
    }
    REQUIRE(waitpid(clone, NULL, __WCLONE) == clone);
    REQUIRE(engine->is_done(0));
    const char *text;
    REQUIRE(engine->text(0, &text) == 4 && memcmp(text, "done", 4) == 0);
    const pvh_lost *lost;
    size_t count = engine->lost(0, &lost), found = 0;
    for (size_t i = 0; i < count; i++) {
        if (lost[i].test == 7) {
            found++;
            REQUIRE(lost[i].size == (lost[i].keeper == 0 ? LARGE : 100));
        }
    }
    REQUIRE(found == 2);
}

static void
checks(uint64_t count)
{
    pthread_t threads[THREADS];
    lose();
    start(threads);
    for (uint64_t i = 0; i < count; i++) {
        check();
    }
    stop(threads);
    const pvh_lost *lost;
    check();
    size_t listed = engine->lost(0, &lost);
    for (size_t i = 0; i < listed; i++) {
        engine->acknowledge(&lost[i]);
    }
    REQUIRE(engine->prepare_check(0) == 0 && engine->lost(0, &lost) == 0);
}

/* --- Limits --- */

static size_t
address_space(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file != NULL && fscanf(file, "%zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void
out_of_memory(uint64_t megabytes)
{
    void *volatile nothing;
    /* The compiler would know, and warn. */
    volatile size_t most = PTRDIFF_MAX;
    errno = 0;
    nothing = malloc(most);
    REQUIRE(nothing == NULL && errno == ENOMEM);
    nothing = calloc(most, 3);
    REQUIRE(nothing == NULL);
    REQUIRE(posix_memalign((void **)&nothing, 3, 100) == EINVAL);
    /* The engine takes no addresses that it does not need, as a program may limit them. */
    REQUIRE(address_space() < (128 << 20));
    size_t most_bytes = address_space() + ((size_t)megabytes << 20);
    struct rlimit limit = {most_bytes, most_bytes};
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    enum { MOST = 1 << 16, SIZE = 100 * 1000 };
    static unsigned char *blocks[MOST];
    size_t count = 0;
    while (count < MOST && (blocks[count] = malloc(SIZE)) != NULL) {
        memset(blocks[count], 1, SIZE);
        count++;
    }
    REQUIRE(count > (megabytes << 19) / SIZE && count < MOST && errno == ENOMEM);
    unsigned char *resized = realloc(blocks[0], (size_t)megabytes << 20);
    REQUIRE(resized == NULL && blocks[0][SIZE - 1] == 1);
    void *aligned;
    REQUIRE(posix_memalign(&aligned, 4096, (size_t)megabytes << 20) == ENOMEM);
    while (count > 0) {
        free(blocks[--count]);
    }
    nothing = malloc(SIZE);
    REQUIRE(nothing != NULL);
    free(nothing);
}

/* What the C library says of itself, if it does, and what a block costs besides its bytes. */
static size_t
used_bytes(void)
{
#ifdef __GLIBC__
    return mallinfo2().uordblks;
#else
    return 0;
#endif
}

static void
accounts(uint64_t blocks)
{
    enum { SIZE = 24, NATIVE = 32 };
    void **made = malloc(blocks * sizeof *made);
    size_t before = used_bytes();
    uint64_t slots = engine->counters().blocks;
    for (uint64_t i = 0; i < blocks; i++) {
        made[i] = malloc(SIZE);
        REQUIRE(malloc_usable_size(made[i]) >= SIZE);
    }
    REQUIRE(engine->counters().blocks - slots == blocks);
    /* The slot is apart. Full guards take more, and a quarantine besides. */
    int is_full = strstr(getenv("PYTEST_HEAPCHECK"), "full") != NULL;
    size_t each = (used_bytes() - before) / blocks + 8;
    REQUIRE(is_full || each <= NATIVE + 64);
    for (uint64_t i = 0; i < blocks; i++) {
        free(made[i]);
    }
    free(made);
    REQUIRE(is_full || used_bytes() < before + (256 << 10));
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* What can be read is so at this moment: not as of an earlier question. */
static void
readable(uint64_t pages)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = pages * page;
    REQUIRE(engine->is_readable(&pages, sizeof pages));
    char *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped != MAP_FAILED && engine->is_readable(mapped, size));
    REQUIRE(mprotect(mapped + size - page, page, PROT_NONE) == 0);
    REQUIRE(engine->is_readable(mapped, size - page) && !engine->is_readable(mapped, size));
    REQUIRE(munmap(mapped, size) == 0 && !engine->is_readable(mapped, 8));
    errno = 0;
    REQUIRE(!engine->is_readable(NULL, 8) && !engine->is_readable((void *)-8, 16) && errno == 0);
}

int
main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(uint64_t);
    } parts[] = {
        {"operations", random_operations}, {"threads", threads_at_work},
        {"crossings", crossings},          {"forks", forks},
        {"checks", checks},                {"memory", out_of_memory},
        {"accounts", accounts},            {"readable", readable},
    };
    const pvh_engine *(*find)(void);
    *(void **)&find = dlsym(RTLD_DEFAULT, PVH_FIND_ENGINE);
    REQUIRE(count == 3 && find != NULL);
    engine = find();
    REQUIRE(engine != NULL && engine->version == PVH_VERSION);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(parts[i].name, arguments[1]) == 0) {
            parts[i].run(strtoull(arguments[2], NULL, 10));
            return 0;
        }
    }
    fprintf(stderr, "there is no such part\n");
    return 1;
}
