/* A check for lost blocks, in a clone, and its results, which the process reads. */
#ifndef PVH_CHECK_H
#define PVH_CHECK_H

#include "heap.h"

/* As pvh_engine has them. */
int pvh_prepare_check(int which);
void pvh_enter_clone(int which);
void pvh_find_lost(void);
/* In the clone: what the stack points to from an address on is not lost, in whatever frame. */
void pvh_have_stack_keep(uintptr_t from);
/* In a fork: the results are its parent's. */
void pvh_forget_checks(void);
void pvh_look_since(uint32_t test);
int pvh_say(const char *text, size_t length);
int pvh_is_done(int which);
pvh_account pvh_account_of(int which);
size_t pvh_lost_of(int which, const pvh_lost **first);
size_t pvh_text_of(int which, const char **first);
void pvh_acknowledge(const pvh_lost *lost);
void pvh_look_at_guards(uint32_t test);
size_t pvh_take_events_of(int which, pvh_event *into, size_t most);
uint64_t pvh_missed_events(void);

#endif
