/* Threads: for which test each of them works, and which of them run. */
#ifndef PVH_THREADS_H
#define PVH_THREADS_H

#include <stddef.h>
#include <stdint.h>

extern __thread uint32_t pvh_test_of_thread __attribute__((tls_model("initial-exec")));
/* 1 if it was started by a thread that worked for a test. */
extern __thread uint32_t pvh_is_thread_of_test __attribute__((tls_model("initial-exec")));

void pvh_set_test(uint32_t number);
uint32_t pvh_test(void);

/* Threads that were started and have not ended; those of them that work for tests, and for one. */
uint32_t pvh_threads_alive(void);
uint32_t pvh_threads_of_tests(void);
uint32_t pvh_threads_of(uint32_t test);
/* At most so many of those of tests, as pthread_self() has them. */
size_t pvh_list_threads(uintptr_t *into, size_t most);

/* In a process that has one thread: it is the main thread from now on. */
void pvh_begin_main_thread(void);
/* A fork has the thread that made it, and no other. */
void pvh_forget_threads(void);

#endif
