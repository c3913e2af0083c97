/* A program that does what memcheck has something to say about, for tests/logs.

   Each word of its command line is the name of a function, and most are a defect. The functions
   that kill the process do not if the word "survive" stands before them. With -DLIBRARY, it is a
   shared library that the program loads. */

#define _GNU_SOURCE
#include <stdlib.h>

/* Keeps the compiler from seeing what is wrong. */
static void *volatile hidden;

#ifdef LIBRARY

/* What users of a library without symbols see of it: nothing but its exported functions. */
static char buffer[64];

static __attribute__((noinline)) void
call_back(void (*function)(void))
{
    function();
    hidden = NULL; /* no tail call */
}

void
library_call(void (*function)(void))
{
    call_back(function);
    hidden = NULL;
}

void
library_leak(void)
{
    hidden = malloc(70);
    hidden = NULL;
}

char *
library_buffer(void)
{
    return buffer;
}

#else

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#define APART __attribute__((noinline))
#define WITHIN static inline __attribute__((always_inline))
#define PAGE 4096

typedef void (*function)(void);

static const char *program;
static volatile size_t minus_one = (size_t)-1;
static volatile size_t nothing = 0;
static volatile char sink;

static APART void
decide(const volatile char *byte)
{
    if (*byte) {
        sink = 1;
    }
}

/* Reads and writes of each size. */
#define READ_AND_WRITE(bytes, type)                                                                \
    static void read_##bytes##_past_end(void)                                                      \
    {                                                                                              \
        hidden = malloc(bytes);                                                                    \
        volatile type *block = hidden;                                                             \
        sink = block[1];                                                                           \
        free(hidden);                                                                              \
    }                                                                                              \
    static void write_##bytes##_past_end(void)                                                     \
    {                                                                                              \
        hidden = malloc(bytes);                                                                    \
        volatile type *block = hidden;                                                             \
        block[1] = 0;                                                                              \
        free(hidden);                                                                              \
    }

READ_AND_WRITE(1, uint8_t)
READ_AND_WRITE(2, uint16_t)
READ_AND_WRITE(4, uint32_t)
READ_AND_WRITE(8, uint64_t)

static void
read_16_past_end(void)
{
#ifdef __x86_64__
    hidden = malloc(16);
    __asm__ volatile("movups 1(%0), %%xmm0" : : "r"(hidden) : "xmm0");
    free(hidden);
#endif
}

static void
read_before_start(void)
{
    hidden = malloc(12345);
    volatile char *block = hidden;
    sink = block[-1];
    free(hidden);
}

/* Where memcheck knows only the block of its own allocator, */
static void
read_past_redzone(void)
{
    hidden = malloc(1);
    volatile char *block = hidden;
    sink = block[25];
    free(hidden);
}

/* or that there is none. */
static void
read_far_past_end(void)
{
    hidden = malloc(16);
    volatile char *block = hidden;
    sink = block[3000];
    free(hidden);
}

static void
read_freed(void)
{
    hidden = malloc(8);
    volatile char *block = hidden;
    free(hidden);
    sink = block[3];
}

static void
write_freed(void)
{
    hidden = malloc(8);
    volatile int *block = hidden;
    free(hidden);
    block[1] = 1;
}

static void
read_reallocated(void)
{
    hidden = malloc(8);
    volatile char *block = hidden;
    hidden = realloc(hidden, 16);
    sink = block[0];
    free(hidden);
}

/* A pool of our own, whose blocks can be freed and allocated anew at once. */
static char pool[256] __attribute__((aligned(16)));

static void
read_recycled(void)
{
    VALGRIND_MAKE_MEM_NOACCESS(pool, sizeof pool);
    VALGRIND_MALLOCLIKE_BLOCK(pool + 64, 16, 16, 0);
    VALGRIND_FREELIKE_BLOCK(pool + 64, 16);
    VALGRIND_MALLOCLIKE_BLOCK(pool + 64, 16, 16, 0);
    volatile char *block = pool + 64;
    sink = block[16];
    VALGRIND_FREELIKE_BLOCK(pool + 64, 16);
}

/* Reads and writes elsewhere. */
static void
read_below_stack(void)
{
    char here = 0;
    hidden = &here;
    volatile char *place = hidden;
    sink = place[-8000];
    hidden = NULL;
}

static void
read_frame(void)
{
    char local[32] = {0};
    hidden = local;
    VALGRIND_MAKE_MEM_NOACCESS(local, sizeof local);
    decide(hidden);
    VALGRIND_MAKE_MEM_DEFINED(local, sizeof local);
}

static void
read_symbol(void)
{
    static char reserved[16];
    VALGRIND_MAKE_MEM_NOACCESS(reserved, sizeof reserved);
    decide(reserved + 3);
    VALGRIND_MAKE_MEM_DEFINED(reserved, sizeof reserved);
}

static void
read_null(void)
{
    hidden = NULL;
    sink = *(volatile char *)hidden;
}

static void
write_nowhere(void)
{
    hidden = (void *)0x123450;
    *(volatile short *)hidden = 1;
}

static void
write_constant(void)
{
    hidden = (void *)"constant";
    *(volatile char *)hidden = 'C';
}

static void
read_protected(void)
{
    hidden = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sink = *(volatile char *)hidden;
}

static void
read_mapped_file(void)
{
    int file = open("/proc/self/exe", O_RDONLY);
    hidden = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    VALGRIND_MAKE_MEM_NOACCESS(hidden, PAGE);
    sink = *(volatile char *)hidden;
    munmap(hidden, PAGE);
}

static void
read_shared(void)
{
    int key = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
    hidden = shmat(key, NULL, 0);
    shmctl(key, IPC_RMID, NULL);
    VALGRIND_MAKE_MEM_NOACCESS(hidden, PAGE);
    sink = *(volatile char *)hidden;
    shmdt(hidden);
}

static void
read_data_segment(void)
{
    hidden = sbrk(PAGE);
    VALGRIND_MAKE_MEM_NOACCESS(hidden, PAGE);
    sink = *(volatile char *)hidden;
}

static void
read_past_data_segment(void)
{
    hidden = sbrk(100);
    volatile char *start = hidden;
    sink = start[110];
}

/* Below the stack pointer, but nobody's stack. */
static void
read_below_unknown_stack(void)
{
#ifdef __x86_64__
    char *pages = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages, 32 * PAGE);
    mprotect(pages + 32 * PAGE, 32 * PAGE, PROT_READ | PROT_WRITE);
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %0, %%rsp\n\t"
                     "movb -200(%%rsp), %%al\n\t"
                     "movq %%rbx, %%rsp"
                     :
                     : "r"(pages + 32 * PAGE)
                     : "rax", "rbx", "memory");
#endif
}

static void
call_null(void)
{
    hidden = NULL;
    ((function)(uintptr_t)hidden)();
}

static void
call_freed(void)
{
    hidden = malloc(24);
    memset(hidden, 0xcc, 24); /* a trap if it is executed */
    void *block = hidden;
    free(hidden);
    hidden = block;
    ((function)(uintptr_t)hidden)();
}

/* Frees. */
static void
free_twice(void)
{
    hidden = malloc(8);
    void *again = hidden;
    free(hidden);
    hidden = again;
    free(hidden);
}

static void
free_inside(void)
{
    hidden = malloc(40);
    hidden = (char *)hidden + 8;
    free(hidden);
    hidden = NULL;
}

static void
free_frame(void)
{
    char local[16] = {0};
    hidden = local;
    free(hidden);
}

static void
free_symbol(void)
{
    hidden = pool;
    free(hidden);
}

static void
free_code(void)
{
    hidden = (void *)(uintptr_t)free_symbol;
    free(hidden);
}

static void
free_constant(void)
{
    hidden = (void *)"constant";
    free(hidden);
}

static void
free_mapped(void)
{
    hidden = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(hidden);
}

static void
realloc_freed(void)
{
    hidden = malloc(8);
    void *again = hidden;
    free(hidden);
    hidden = again;
    hidden = realloc(hidden, 16);
}

static void
realloc_to_nothing(void)
{
    hidden = malloc(8);
    hidden = realloc(hidden, nothing);
}

static void
reallocarray_to_nothing(void)
{
    hidden = malloc(8);
    hidden = reallocarray(hidden, 1, nothing);
}

/* C23 has them, and the C library perhaps. */
static void
free_sized_wrongly(void)
{
    void (*free_sized)(void *, size_t) = NULL;
    *(void **)&free_sized = dlsym(RTLD_DEFAULT, "free_sized");
    hidden = malloc(20);
    if (free_sized) {
        free_sized(hidden, 21);
    }
}

static void
free_aligned_sized_wrongly(void)
{
    void (*free_aligned_sized)(void *, size_t, size_t) = NULL;
    *(void **)&free_aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (free_aligned_sized) {
        hidden = aligned_alloc(64, 128);
        free_aligned_sized(hidden, 32, 128);
        hidden = aligned_alloc(64, 128);
        free_aligned_sized(hidden, 64, 192);
        hidden = aligned_alloc(64, 128);
        free_aligned_sized(hidden, 24, 48);
    }
}

/* Sizes and alignments. */
static void
allocate_fishily(void)
{
    hidden = malloc(minus_one);
    hidden = calloc(minus_one, 1);
    hidden = memalign(64, minus_one - 2);
    hidden = realloc(malloc(1), minus_one - 1);
}

static void
align_oddly(void)
{
    volatile size_t three = 3;
    void *block = NULL;
    hidden = memalign(three, 10);
    free(hidden);
    hidden = aligned_alloc(three * 4, 24);
    free(hidden);
    hidden = aligned_alloc(64, three);
    free(hidden);
    if (posix_memalign(&block, three, 10) == 0) {
        free(block);
    }
}

static void
align_nothing(void)
{
    void *block = NULL;
    hidden = memalign(64, nothing);
    free(hidden);
    hidden = aligned_alloc(64, nothing);
    free(hidden);
    if (posix_memalign(&block, 64, nothing) == 0) {
        free(block);
    }
}

/* Uninitialised values, from everywhere. */
static void
decide_heap(void)
{
    hidden = malloc(8);
    decide((char *)hidden + 3);
    free(hidden);
}

static void
decide_stack(void)
{
    char local[8];
    hidden = local;
    decide((char *)hidden + 3);
}

static void
decide_request(void)
{
    char local[8] = {0};
    hidden = local;
    VALGRIND_MAKE_MEM_UNDEFINED(local, sizeof local);
    decide(hidden);
}

static void
decide_data_segment(void)
{
    hidden = sbrk(PAGE);
    decide(hidden);
}

static void
use_as_index(void)
{
    static volatile char table[256];
    hidden = malloc(2);
    sink = table[*(volatile unsigned char *)hidden];
    free(hidden);
}

static void
use_as_address(void)
{
    void *volatile *block = hidden = malloc(sizeof(void *));
    VALGRIND_MAKE_MEM_DEFINED(hidden, sizeof(void *));
    *block = pool + 250;
    VALGRIND_MAKE_MEM_UNDEFINED(hidden, sizeof(void *));
    VALGRIND_MAKE_MEM_DEFINED(pool, sizeof pool);
    sink = *(volatile char *)*block;
    free(hidden);
}

static void
print_uninitialised(void)
{
    FILE *file = fopen("/dev/null", "w");
    hidden = malloc(sizeof(int));
    fprintf(file, "%d\n", *(volatile int *)hidden);
    fclose(file);
    free(hidden);
}

static void
measure_unended(void)
{
    hidden = malloc(4);
    memset(hidden, 'x', 4);
    sink = (char)strlen(hidden);
    free(hidden);
}

WITHIN void
decide_twice_inlined(void)
{
    hidden = malloc(8);
    if (*(volatile char *)hidden) {
        sink = 1;
    }
    free(hidden);
}

WITHIN void
decide_once_inlined(void)
{
    decide_twice_inlined();
}

static void
decide_inlined(void)
{
    decide_once_inlined();
}

static APART void
decide_below(int depth)
{
    if (depth > 0) {
        decide_below(depth - 1);
    } else {
        decide_heap();
    }
    hidden = NULL; /* no tail call */
}

static void
decide_deep(void)
{
    decide_below(40);
}

static void decide_in_oddly_named_file(void);

/* Parameters of system calls. */
static void
write_uninitialised(void)
{
    int file = open("/dev/null", O_WRONLY);
    char local[16];
    hidden = local;
    (void)!write(file, hidden, 16);
    hidden = malloc(16);
    (void)!write(file, hidden, 16);
    free(hidden);
    close(file);
}

static void
write_unaddressable(void)
{
    int file = open("/dev/null", O_WRONLY);
    hidden = calloc(1, 16);
    (void)!write(file, hidden, 17);
    free(hidden);
    hidden = NULL;
    (void)!write(file, hidden, 16);
    close(file);
}

static void
write_vector(void)
{
    int file = open("/dev/null", O_WRONLY);
    hidden = malloc(16);
    struct iovec parts[] = {{.iov_base = pool, .iov_len = 1}, {.iov_base = hidden, .iov_len = 16}};
    VALGRIND_MAKE_MEM_DEFINED(pool, sizeof pool);
    (void)!writev(file, parts, 2);
    free(hidden);
    close(file);
}

static void
send_uninitialised(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0) {
        hidden = malloc(16);
        struct iovec part = {.iov_base = hidden, .iov_len = 16};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        sendmsg(ends[0], &message, MSG_DONTWAIT);
        free(hidden);
        close(ends[0]);
        close(ends[1]);
    }
}

static void
read_into_freed(void)
{
    int file = open("/dev/zero", O_RDONLY);
    hidden = malloc(16);
    void *block = hidden;
    free(hidden);
    hidden = block;
    (void)!read(file, hidden, 16);
    close(file);
}

static void
open_uninitialised(void)
{
    hidden = malloc(16);
    close(open(hidden, O_RDONLY));
    free(hidden);
}

static void
close_uninitialised(void)
{
    hidden = malloc(sizeof(int));
    *(volatile int *)hidden = 1000;
    VALGRIND_MAKE_MEM_UNDEFINED(hidden, sizeof(int));
    close(*(volatile int *)hidden);
    free(hidden);
}

/* Overlaps. */
static void
copy_overlapping(void)
{
    char text[64] = "overlapping";
    hidden = text;
    memcpy(text + 1, hidden, nothing + 20);
    mempcpy(text + 1, hidden, nothing + 20);
    strncpy(text + 1, hidden, nothing + 5);
    hidden = text + 4;
    strcpy(text + 1, hidden);
    stpcpy(text + 1, hidden);
    strncat(text + 1, hidden, nothing + 2);
}

/* Client requests. */
static void
check_defined(void)
{
    hidden = malloc(8);
    VALGRIND_CHECK_MEM_IS_DEFINED(hidden, 8);
    free(hidden);
}

static void
check_addressable(void)
{
    hidden = malloc(8);
    VALGRIND_CHECK_MEM_IS_ADDRESSABLE(hidden, 9);
    free(hidden);
    VALGRIND_CHECK_MEM_IS_DEFINED(hidden, 1);
}

static void
read_named_block(void)
{
    static char spoons[32];
    unsigned block = VALGRIND_CREATE_BLOCK(spoons, sizeof spoons, "spoon (of silver): 1st");
    VALGRIND_MAKE_MEM_NOACCESS(spoons, sizeof spoons);
    decide(spoons + 3);
    VALGRIND_MAKE_MEM_DEFINED(spoons, sizeof spoons);
    VALGRIND_DISCARD(block);
}

static void
read_pool_block(void)
{
    VALGRIND_MAKE_MEM_NOACCESS(pool, sizeof pool);
    VALGRIND_CREATE_MEMPOOL(pool, 8, 0);
    VALGRIND_MEMPOOL_ALLOC(pool, pool + 32, 16);
    decide(pool + 32 + 16);
    VALGRIND_MEMPOOL_FREE(pool, pool + 32);
    VALGRIND_MEMPOOL_FREE(pool, pool + 32);
    VALGRIND_DESTROY_MEMPOOL(pool);
}

static void
free_unknown_pool(void)
{
    VALGRIND_MEMPOOL_FREE(pool, pool + 16);
}

/* File descriptors. */
static void
forget_descriptors(void)
{
    int ends[2];
    (void)!open("/dev/null", O_RDONLY);
    (void)!pipe(ends);
    (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    (void)!socket(AF_INET, SOCK_DGRAM, 0);
}

static void
close_twice(void)
{
    int files[3] = {open("/dev/null", O_RDONLY), dup(1), socket(AF_INET, SOCK_DGRAM, 0)};
    for (int i = 0; i < 3; i++) {
        close(files[i]);
        close(files[i]);
    }
}

static void
close_inherited_twice(void)
{
    close(0);
    close(0);
}

static void
use_closed(void)
{
    char byte;
    int file = open("/dev/zero", O_RDONLY);
    close(file);
    (void)!read(file, &byte, 1);
}

static void
use_never_opened(void)
{
    char byte;
    (void)!read(77, &byte, 1);
    (void)!read(-1, &byte, 1);
}

/* Leaks. */
static void *volatile kept;
static char *volatile kept_inside;
static volatile uintptr_t masked;

static void
leak_definitely(void)
{
    hidden = malloc(50);
    hidden = NULL;
}

static void
leak_nothing(void)
{
    hidden = malloc(nothing);
    hidden = NULL;
}

static void
leak_much(void)
{
    for (int i = 0; i < 1234; i++) {
        hidden = malloc(1000);
    }
    hidden = NULL;
}

struct link {
    struct link *next;
    char load[24];
};

/* One is lost, and what it refers to with it. */
static void
leak_chain(void)
{
    hidden = NULL;
    for (int i = 0; i < 4; i++) {
        struct link *link = malloc(sizeof *link);
        link->next = hidden;
        hidden = link;
    }
    hidden = NULL;
}

static void
leak_possibly(void)
{
    kept_inside = (char *)malloc(60) + 7;
}

static void
keep(void)
{
    kept = malloc(40);
}

static void
lose_kept(void)
{
    masked = ~(uintptr_t)kept;
    kept = NULL;
}

static void
find_lost(void)
{
    kept = (void *)~masked;
}

static void
free_kept(void)
{
    free(kept);
    kept = NULL;
}

static void
check_all_leaks(void)
{
    VALGRIND_DO_LEAK_CHECK;
}

static void
check_leaks_quickly(void)
{
    VALGRIND_DO_QUICK_LEAK_CHECK;
}

static void
check_added_leaks(void)
{
    VALGRIND_DO_ADDED_LEAK_CHECK;
}

static void
check_changed_leaks(void)
{
    VALGRIND_DO_CHANGED_LEAK_CHECK;
}

static void
check_new_leaks(void)
{
#ifdef VALGRIND_DO_NEW_LEAK_CHECK /* since 3.21 */
    VALGRIND_DO_NEW_LEAK_CHECK;
#endif
}

/* Two blocks at one place, which memcheck does not survive. */
static void
overlap_blocks(void)
{
    VALGRIND_MALLOCLIKE_BLOCK(pool, 64, 0, 0);
    VALGRIND_MALLOCLIKE_BLOCK(pool + 32, 64, 0, 0);
    VALGRIND_DO_LEAK_CHECK;
}

/* Threads. */
struct job {
    const char *name;
    function commit;
};

static void *
work(void *argument)
{
    struct job *job = argument;
    if (job->name) {
        pthread_setname_np(pthread_self(), job->name);
    }
    job->commit();
    return NULL;
}

static void
in_thread(const char *name, function commit, size_t stack)
{
    struct job job = {name, commit};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (stack) {
        pthread_attr_setstacksize(&attributes, stack);
    }
    if (pthread_create(&thread, &attributes, work, &job) == 0) {
        pthread_join(thread, NULL);
    }
    pthread_attr_destroy(&attributes);
}

static void
decide_in_thread(void)
{
    in_thread(NULL, decide_heap, 0);
}

static void
decide_in_named_thread(void)
{
    in_thread("odd (name): 7", decide_stack, 0);
}

static void
leak_in_thread(void)
{
    in_thread("leaker", leak_definitely, 0);
}

static void
name_main_thread(void)
{
    prctl(PR_SET_NAME, "main one");
}

static pthread_barrier_t turn;

static void
err_in_turns(void)
{
    pthread_barrier_wait(&turn);
    read_freed();
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    free_twice();
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
}

static void
err_in_others_turns(void)
{
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    write_freed();
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    free_inside();
    pthread_barrier_wait(&turn);
}

static void
take_turns(void)
{
    struct job jobs[] = {{NULL, err_in_turns}, {"other", err_in_others_turns}};
    pthread_t threads[2];
    pthread_barrier_init(&turn, NULL, 2);
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, work, &jobs[i])) {
            exit(1);
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Below the stack of a thread there is a page that nobody may touch. */
static void
read_guard(void)
{
    size_t size;
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, (void **)&hidden, &size);
    pthread_attr_destroy(&attributes);
    hidden = (char *)hidden - 8;
    sink = *(volatile char *)hidden;
}

static void
read_guard_in_thread(void)
{
    in_thread(NULL, read_guard, 0);
}

/* Processes. */
static void
fork_and_err(void)
{
    pid_t child = fork();
    if (child == 0) {
        read_freed();
        leak_definitely();
        exit(0);
    }
    waitpid(child, NULL, 0);
    write_freed();
}

/* Both at the same time, so that they get into each other's way. */
static void
fork_and_err_together(void)
{
    function all[] = {decide_heap, decide_stack, read_freed, write_freed, free_twice, free_inside};
    pthread_barrier_t *both =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(both, &attributes, 2);
    pid_t child = fork();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pthread_barrier_wait(both);
        all[i]();
    }
    if (child == 0) {
        exit(0);
    }
    waitpid(child, NULL, 0);
}

static void
fork_and_execute(void)
{
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, "decide_heap", (char *)NULL);
        exit(1);
    }
    waitpid(child, NULL, 0);
}

static void
fork_and_crash(void)
{
    pid_t child = fork();
    if (child == 0) {
        read_null();
    }
    waitpid(child, NULL, 0);
}

/* Messages. */
static void
print_messages(void)
{
    VALGRIND_PRINTF("A message\n");
    VALGRIND_PRINTF("A message of\n\nthree lines\n");
    VALGRIND_PRINTF("Two messages ");
    VALGRIND_PRINTF("on a line\n");
    VALGRIND_PRINTF("Invalid read of size 1\n   at 0x109403: nothing (nowhere.c:5)\n");
}

static void
print_backtrace(void)
{
    VALGRIND_PRINTF_BACKTRACE("A message with a stack\n");
}

static void
print_backtrace_then_err(void)
{
    VALGRIND_PRINTF_BACKTRACE("A message with a stack: %d\n", 1);
    read_freed();
}

static void
print_backtrace_without_end(void)
{
    VALGRIND_PRINTF_BACKTRACE("A message without an end of line");
}

static void
print_unended_then_err(void)
{
    VALGRIND_PRINTF("A message without an end of line");
    write_freed();
}

/* Monitor commands, whose answers are in the log as well. */
static void
list_errors(void)
{
    VALGRIND_MONITOR_COMMAND("v.info all_errors");
}

static void
ask_monitor(void)
{
    char command[100];
    hidden = malloc(80);
    VALGRIND_MONITOR_COMMAND("v.info last_error");
    VALGRIND_MONITOR_COMMAND("v.info n_errs_found a (message)");
    VALGRIND_MONITOR_COMMAND("v.info open_fds");
    VALGRIND_MONITOR_COMMAND("leak_check full reachable any");
    VALGRIND_MONITOR_COMMAND("leak_check summary any");
    VALGRIND_MONITOR_COMMAND("block_list 1..2");
    sprintf(command, "who_points_at %p", hidden);
    VALGRIND_MONITOR_COMMAND(command);
    sprintf(command, "check_memory defined %p 8", hidden);
    VALGRIND_MONITOR_COMMAND(command);
    sprintf(command, "v.info location %p", hidden);
    VALGRIND_MONITOR_COMMAND(command);
    VALGRIND_MONITOR_COMMAND("v.info scheduler");
    VALGRIND_MONITOR_COMMAND("no command of its");
    free(hidden);
}

/* What valgrind warns of. */
static void
warn_of_calls(void)
{
    hidden = malloc(256);
    syscall(9999);
    fcntl(1, 9999, hidden);
    ioctl(1, 0x12345, hidden);
    munmap((void *)0x58000000, PAGE); /* valgrind's own memory */
    signal(SIGKILL, SIG_IGN);
    syscall(SYS_rt_sigaction, 9999, NULL, NULL, 8);
    free(hidden);
}

static void
map_much(void)
{
    size_t size = (size_t)300 << 20;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    munmap(mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0), size);
}

static void
grow_data_segment(void)
{
    hidden = sbrk((intptr_t)100 << 20);
}

static APART void
use_large_frame(void)
{
    volatile char local[3 << 20];
    local[sizeof local / 2] = 1;
    sink = local[sizeof local / 2];
}

static void
unmask_exceptions(void)
{
#ifdef __x86_64__
    unsigned short control = 0x360;
    __asm__ volatile("fldcw %0" : : "m"(control));
#endif
}

/* Crashes. */
static void
divide_by_zero(void)
{
    volatile int zero = 0;
    sink = (char)(7 / zero);
}

static void
undefined_instruction(void)
{
    __builtin_trap();
}

/* One of AVX-512 (vpxord), which valgrind does not know. */
static void
unknown_instruction(void)
{
#ifdef __x86_64__
    __asm__ volatile(".byte 0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0");
#endif
}

static void
read_non_canonical(void)
{
    hidden = (void *)0x8000000000000000;
    sink = *(volatile char *)hidden;
}

static void
read_past_file(void)
{
    int file = memfd_create("empty", 0);
    hidden = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    sink = *(volatile char *)hidden;
}

static void
terminate(void)
{
    raise(SIGTERM);
}

static void
dump_core(void)
{
    struct rlimit small = {PAGE, PAGE};
    setrlimit(RLIMIT_CORE, &small);
    abort();
}

static APART char
overflow(int depth)
{
    volatile char local[1000];
    local[0] = (char)depth;
    return depth < 0 ? 0 : (char)(overflow(depth + 1) + local[0]);
}

static void
overflow_stack(void)
{
    sink = overflow(0);
}

static void
overflow_thread_stack(void)
{
    in_thread("small one", overflow_stack, 1 << 16);
}

/* Libraries. */
static void *
in_library(const char *path, const char *name)
{
    void *library = dlopen(path, RTLD_NOW);
    void *symbol = library ? dlsym(library, name) : NULL;
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return symbol;
}

static void
call_stripped(void)
{
    function (*call)(function) = NULL;
    *(void **)&call = in_library("./libstripped.so", "library_call");
    call(decide_heap);
    char *(*buffer)(void) = NULL;
    *(void **)&buffer = in_library("./libstripped.so", "library_buffer");
    hidden = buffer();
    free(hidden);
}

static void
call_oddly_named(void)
{
    function (*call)(function) = NULL;
    *(void **)&call = in_library("./lib odd (1): in x.so", "library_call");
    call(decide_heap);
}

static void
leak_in_unloaded(void)
{
    void *library = dlopen("./libunloaded.so", RTLD_NOW);
    void (*leak)(void) = NULL;
    *(void **)&leak = dlsym(library, "library_leak");
    leak();
    dlclose(library);
}

/* Errors by the hundred, each at a place of its own. */
#define TWICE(call) call call
#define FOUR_TIMES(call) TWICE(TWICE(call))
#define SIXTEEN_TIMES(call) FOUR_TIMES(FOUR_TIMES(call))

static void
err_1024_times(void)
{
    hidden = malloc(8);
    SIXTEEN_TIMES(SIXTEEN_TIMES(FOUR_TIMES(decide(hidden);)))
    free(hidden);
}

/* More than 10,000,000, which are too many. */
static void
err_on_and_on(void)
{
    hidden = malloc(8);
    for (int i = 0; i < 10000010; i++) {
        if (*(volatile char *)hidden) {
            sink = 1;
        }
    }
    decide_heap();
}

/* What comes back from a signal. */
static sigjmp_buf way_out;

static void
leave(int number)
{
    siglongjmp(way_out, number);
}

static void
survive(void)
{
    static char stack[1 << 16];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK | SA_NODEFER};
    int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], &action, NULL);
    }
}

#define WORD(name) {#name, name}

static const struct {
    const char *name;
    function commit;
} words[] = {
    WORD(align_nothing),
    WORD(align_oddly),
    WORD(allocate_fishily),
    WORD(ask_monitor),
    {"abort", abort},
    WORD(call_freed),
    WORD(call_null),
    WORD(call_oddly_named),
    WORD(call_stripped),
    WORD(check_added_leaks),
    WORD(check_addressable),
    WORD(check_all_leaks),
    WORD(check_changed_leaks),
    WORD(check_defined),
    WORD(check_leaks_quickly),
    WORD(check_new_leaks),
    WORD(close_inherited_twice),
    WORD(close_twice),
    WORD(close_uninitialised),
    WORD(copy_overlapping),
    WORD(decide_data_segment),
    WORD(decide_deep),
    WORD(decide_heap),
    WORD(decide_in_named_thread),
    WORD(decide_in_oddly_named_file),
    WORD(decide_in_thread),
    WORD(decide_inlined),
    WORD(decide_request),
    WORD(decide_stack),
    WORD(divide_by_zero),
    WORD(dump_core),
    WORD(err_1024_times),
    WORD(err_on_and_on),
    WORD(find_lost),
    WORD(forget_descriptors),
    WORD(fork_and_crash),
    WORD(fork_and_err),
    WORD(fork_and_err_together),
    WORD(fork_and_execute),
    WORD(free_aligned_sized_wrongly),
    WORD(free_code),
    WORD(free_constant),
    WORD(free_frame),
    WORD(free_inside),
    WORD(free_kept),
    WORD(free_mapped),
    WORD(free_sized_wrongly),
    WORD(free_symbol),
    WORD(free_twice),
    WORD(free_unknown_pool),
    WORD(grow_data_segment),
    WORD(keep),
    WORD(leak_chain),
    WORD(leak_definitely),
    WORD(leak_in_thread),
    WORD(leak_in_unloaded),
    WORD(leak_much),
    WORD(leak_nothing),
    WORD(leak_possibly),
    WORD(list_errors),
    WORD(lose_kept),
    WORD(map_much),
    WORD(measure_unended),
    WORD(name_main_thread),
    WORD(open_uninitialised),
    WORD(overflow_stack),
    WORD(overflow_thread_stack),
    WORD(overlap_blocks),
    WORD(print_backtrace),
    WORD(print_backtrace_then_err),
    WORD(print_backtrace_without_end),
    WORD(print_messages),
    WORD(print_unended_then_err),
    WORD(print_uninitialised),
    WORD(read_1_past_end),
    WORD(read_2_past_end),
    WORD(read_4_past_end),
    WORD(read_8_past_end),
    WORD(read_16_past_end),
    WORD(read_before_start),
    WORD(read_below_stack),
    WORD(read_below_unknown_stack),
    WORD(read_data_segment),
    WORD(read_far_past_end),
    WORD(read_frame),
    WORD(read_freed),
    WORD(read_guard_in_thread),
    WORD(read_into_freed),
    WORD(read_mapped_file),
    WORD(read_named_block),
    WORD(read_non_canonical),
    WORD(read_null),
    WORD(read_past_data_segment),
    WORD(read_past_file),
    WORD(read_past_redzone),
    WORD(read_pool_block),
    WORD(read_protected),
    WORD(read_reallocated),
    WORD(read_recycled),
    WORD(read_shared),
    WORD(read_symbol),
    WORD(realloc_freed),
    WORD(realloc_to_nothing),
    WORD(reallocarray_to_nothing),
    WORD(send_uninitialised),
    WORD(survive),
    WORD(take_turns),
    WORD(terminate),
    WORD(undefined_instruction),
    WORD(unknown_instruction),
    WORD(unmask_exceptions),
    WORD(use_as_address),
    WORD(use_as_index),
    WORD(use_closed),
    WORD(use_large_frame),
    WORD(use_never_opened),
    WORD(warn_of_calls),
    WORD(write_1_past_end),
    WORD(write_2_past_end),
    WORD(write_4_past_end),
    WORD(write_8_past_end),
    WORD(write_constant),
    WORD(write_freed),
    WORD(write_nowhere),
    WORD(write_unaddressable),
    WORD(write_uninitialised),
    WORD(write_vector),
};

static void
come_back_from(function commit)
{
    if (sigsetjmp(way_out, 1) == 0) {
        commit();
    }
}

static function
find(const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].name, name) == 0) {
            return words[i].commit;
        }
    }
    fprintf(stderr, "%s is nothing that this program does\n", name);
    exit(2);
}

int
main(int count, char **given)
{
    program = given[0];
    for (int i = 1; i < count; i++) {
        come_back_from(find(given[i]));
    }
    return 0;
}

#line 7 "odd (file): name, 2.c"
static void
decide_in_oddly_named_file(void)
{
    decide_heap();
    hidden = NULL;
}

#endif
