#include "threads.h"

#include <pthread.h>
#include <stdlib.h>

#include <valgrind/valgrind.h>

#include "frames.h"

typedef struct {
    void *(*routine)(void *);
    void *argument;
    int number;
} start;

static int number_for_threads = -1;
static unsigned long threads_started;
static unsigned long threads_alive;

int
pvg_number_for_threads(int number)
{
    return __atomic_exchange_n(&number_for_threads, number, __ATOMIC_RELAXED);
}

unsigned long
pvg_threads_started(void)
{
    return __atomic_load_n(&threads_started, __ATOMIC_RELAXED);
}

unsigned long
pvg_threads_alive(void)
{
    return __atomic_load_n(&threads_alive, __ATOMIC_RELAXED);
}

static void
ended(void *unused)
{
    (void)unused;
    __atomic_fetch_sub(&threads_alive, 1, __ATOMIC_RELAXED);
}

/* The innermost of our frames in a thread, and what tells its blocks from those
   of the test's own thread. */
FRAME void *pvg_thread(void *argument);
FRAME void *
pvg_thread(void *argument)
{
    start *started = argument;
    void *result = started->routine(started->argument);
    STAY(-3);
    return result;
}

static void *
run(void *argument)
{
    start started = *(start *)argument;
    free(argument);
    void *result;
    /* A thread may be cancelled, or end in pthread_exit. */
    pthread_cleanup_push(ended, NULL);
    result = pvg_inside_thread(started.number, pvg_thread, &started);
    pthread_cleanup_pop(1);
    return result;
}

/* pthread_create@* in libc.so*, and in libpthread.so* before glibc 2.34. */
#define WRAP_PTHREAD_CREATE(LIBRARY, NAME)                                    \
    int I_WRAP_SONAME_FNNAME_ZZ(LIBRARY, NAME)(                               \
        pthread_t *thread, const pthread_attr_t *attributes,                  \
        void *(*routine)(void *), void *argument);                            \
    int I_WRAP_SONAME_FNNAME_ZZ(LIBRARY, NAME)(                               \
        pthread_t *thread, const pthread_attr_t *attributes,                  \
        void *(*routine)(void *), void *argument)                             \
    {                                                                         \
        OrigFn original;                                                      \
        int error;                                                            \
        VALGRIND_GET_ORIG_FN(original);                                       \
        start *started = number_for_threads < 0 ? NULL : malloc(sizeof *started); \
        if (started == NULL) {                                                \
            CALL_FN_W_WWWW(error, original, thread, attributes, routine,      \
                           argument);                                         \
            return error;                                                     \
        }                                                                     \
        *started = (start){routine, argument, number_for_threads};            \
        __atomic_fetch_add(&threads_started, 1, __ATOMIC_RELAXED);            \
        __atomic_fetch_add(&threads_alive, 1, __ATOMIC_RELAXED);              \
        CALL_FN_W_WWWW(error, original, thread, attributes, run, started);    \
        if (error) {                                                          \
            ended(NULL);                                                      \
            free(started);                                                    \
        }                                                                     \
        return error;                                                         \
    }

WRAP_PTHREAD_CREATE(libcZdsoZa, pthreadZucreateZa)
WRAP_PTHREAD_CREATE(libpthreadZdsoZa, pthreadZucreateZa)
