/* What a child process tells those who follow it: lines of a file of its own, whose fields stand
   between tabs. */
#ifndef PVH_REPORT_H
#define PVH_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"

/* Lines go into the file in a directory that is named like the process. */
void pvh_report_in(const char *directory);

/* Nothing here allocates or takes a lock of its own, as a signal handler may have something to
   say. A line that is too long is cut. */
void pvh_report(const char *format, ...) __attribute__((format(printf, 1, 2)));
void pvh_report_program(void);
void pvh_report_event(const pvh_event *event);
void pvh_report_lost(const pvh_lost *lost);
void pvh_report_said(const char *text, size_t length);
void pvh_report_signal(int number, uintptr_t address);

#endif
