/* For RTLD_NEXT. */
#define _GNU_SOURCE
#include "heap_threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "heap_atomic.h"
#include "heap_blocks.h"
#include "heap_options.h"
#include "heap_real.h"

__thread uint32_t pvh_test_of_thread;
__thread uint32_t pvh_is_thread_of_test;
__thread uint32_t pvh_owner;

void
pvh_set_test(uint32_t number)
{
    pvh_test_of_thread = number;
}

uint32_t
pvh_test(void)
{
    return pvh_test_of_thread;
}

/* The tests of the threads that run; of more than these only the number is known. */
enum { MOST_THREADS = 4096 };
static uint32_t tests_of_threads[MOST_THREADS];
/* Of each that has one, once it runs. */
static uintptr_t ids_of_threads[MOST_THREADS];
static uint32_t alive, alive_for_tests;

uint32_t
pvh_threads_alive(void)
{
    return __atomic_load_n(&alive, __ATOMIC_ACQUIRE);
}

uint32_t
pvh_threads_of_tests(void)
{
    return __atomic_load_n(&alive_for_tests, __ATOMIC_ACQUIRE);
}

uint32_t
pvh_threads_of(uint32_t test)
{
    uint32_t count = 0;
    for (size_t i = 0; pvh_threads_alive() > 0 && i < MOST_THREADS; i++) {
        count += __atomic_load_n(&tests_of_threads[i], __ATOMIC_RELAXED) == test;
    }
    return count;
}

size_t
pvh_list_threads(uintptr_t *into, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; pvh_threads_of_tests() > 0 && i < MOST_THREADS && count < most; i++) {
        uintptr_t id = __atomic_load_n(&ids_of_threads[i], __ATOMIC_RELAXED);
        if (id != 0) {
            into[count++] = id;
        }
    }
    return count;
}

void
pvh_begin_main_thread(void)
{
    pvh_owner = PVH_OF_MAIN;
}

void
pvh_forget_threads(void)
{
    pvh_begin_main_thread();
    memset(tests_of_threads, 0, sizeof tests_of_threads);
    memset(ids_of_threads, 0, sizeof ids_of_threads);
    alive = alive_for_tests = 0;
}

typedef struct {
    void *(*routine)(void *);
    void *argument;
    uint32_t test;
    size_t place; /* in the table; a thread of no test takes none */
} start;

enum { NO_TEST = MOST_THREADS + 1 };

static size_t
enter(uint32_t test)
{
    __atomic_fetch_add(&alive, 1, __ATOMIC_ACQ_REL);
    if (test == 0) {
        return NO_TEST;
    }
    __atomic_fetch_add(&alive_for_tests, 1, __ATOMIC_ACQ_REL);
    size_t place = 0;
    for (; place < MOST_THREADS; place++) {
        uint32_t none = 0;
        if (__atomic_compare_exchange_n(&tests_of_threads[place], &none, test, 0,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            break;
        }
    }
    return place;
}

static void
leave(size_t place)
{
    if (place < MOST_THREADS) {
        __atomic_store_n(&ids_of_threads[place], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&tests_of_threads[place], 0, __ATOMIC_RELAXED);
    }
    if (place != NO_TEST) {
        __atomic_fetch_sub(&alive_for_tests, 1, __ATOMIC_ACQ_REL);
    }
    __atomic_fetch_sub(&alive, 1, __ATOMIC_ACQ_REL);
}

/* The C library keeps the stack of a thread that has ended for the next one, and with it pointers
   that hide what was lost. It gives back all but the last pages (advise_stack_range in
   nptl/allocatestack.c): these are overwritten here. */
__attribute__((noinline)) static void
overwrite_stack(void)
{
    enum { LAST_PAGES = 32 * 1024, NEEDED = 4 * 1024 };
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return;
    }
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    if ((uintptr_t)&size - (uintptr_t)lowest > LAST_PAGES + NEEDED) {
        volatile uintptr_t words[LAST_PAGES / sizeof(uintptr_t)];
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            words[i] = 0;
        }
    }
}

static void
end(void *place)
{
    pvh_end_thread();
    overwrite_stack();
    leave(*(size_t *)place);
}

static void *
run(void *argument)
{
    start started = *(start *)argument;
    pvh_real_free(argument);
    pvh_test_of_thread = started.test;
    pvh_is_thread_of_test = started.test != 0;
    if (started.place < MOST_THREADS) {
        __atomic_store_n(&ids_of_threads[started.place], (uintptr_t)pthread_self(),
                         __ATOMIC_RELAXED);
    }
    void *result;
    /* A thread may be cancelled, or end in pthread_exit. */
    pthread_cleanup_push(end, &started.place);
    result = started.routine(started.argument);
    pthread_cleanup_pop(1);
    return result;
}

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

__attribute__((visibility("default"))) int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
               void *argument)
{
    static create *real;
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    }
    if (real == NULL) {
        return EAGAIN;
    }
    /* Not one of the program's blocks, which would be lost if the thread never runs. */
    start *started = pvh_mode_of_process() == PVH_TRACKS ? pvh_real_malloc(sizeof *started) : NULL;
    if (started == NULL) {
        return real(thread, attributes, routine, argument);
    }
    *started = (start){routine, argument, pvh_test_of_thread, enter(pvh_test_of_thread)};
    int error = real(thread, attributes, run, started);
    if (error) {
        leave(started->place);
        pvh_real_free(started);
    }
    return error;
}
