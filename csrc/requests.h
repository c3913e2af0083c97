/* Valgrind's client requests as plain functions: valgrind.h has them as
   inline assembly, which nothing but C can call. */
#ifndef PVG_REQUESTS_H
#define PVG_REQUESTS_H

typedef struct {
    unsigned long leaked;      /* definitely and indirectly lost */
    unsigned long dubious;     /* possibly lost */
    unsigned long reachable;
    unsigned long suppressed;
} pvg_leaks;

/* Nesting depth of valgrind: 0 natively. */
unsigned pvg_running_on_valgrind(void);

/* Is the valgrind tool memcheck, rather than massif, helgrind, ...? */
int pvg_running_on_memcheck(void);

/* Errors so far, repeated ones included; suppressed ones and leaks not. */
unsigned pvg_count_errors(void);

/* Scans the heap and logs the loss records that grew since the last check. */
void pvg_leak_check(void);

/* Bytes found by the last leak check. */
pvg_leaks pvg_count_leaks(void);

void pvg_print(const char *text);

/* Prints the stack, with so many more calls on top. */
void pvg_print_stack(int calls);

/* A command line option that valgrind lets a program change. */
void pvg_change_option(const char *option);

/* Whether what forks do from here on is in a log; pvg_log_next_fork has the next
   one in it anyway, until pvg_log_forks_as_before. */
void pvg_log_forks(int all);
void pvg_log_next_fork(void);
void pvg_log_forks_as_before(void);

/* A command of valgrind's gdbserver; the answer goes to the log. */
void pvg_monitor_command(const char *command);

/* Whether memory may be read: it is nobody else's, and no block that was freed.
   At most 64 bytes. Natively never without the heap engine, and of blocks that were freed, too,
   with it. */
int pvg_is_readable(const void *address, unsigned long size);

/* Whether it may be read, and all of it was written since its block was allocated. */
int pvg_is_written(const void *address, unsigned long size);

#endif
