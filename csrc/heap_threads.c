/* For RTLD_NEXT. */
#define _GNU_SOURCE
#include "heap_threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "heap_options.h"
#include "heap_real.h"

__thread uint32_t pvh_test_of_thread;
__thread uint32_t pvh_is_thread_of_test;

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

typedef struct {
    void *(*routine)(void *);
    void *argument;
    uint32_t test;
} start;

static void *
run(void *argument)
{
    start started = *(start *)argument;
    pvh_real_free(argument);
    pvh_test_of_thread = started.test;
    pvh_is_thread_of_test = started.test != 0;
    return started.routine(started.argument);
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
    *started = (start){routine, argument, pvh_test_of_thread};
    int error = real(thread, attributes, run, started);
    if (error) {
        pvh_real_free(started);
    }
    return error;
}
