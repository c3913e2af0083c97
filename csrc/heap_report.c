/* For dladdr. */
#define _GNU_SOURCE
#include "heap_report.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LONGEST = 3 * PATH_MAX };

static char path[PATH_MAX];

void
pvh_report_in(const char *directory)
{
    int length = snprintf(path, sizeof path, "%s/%d", directory, (int)getpid());
    if (length < 0 || (size_t)length >= sizeof path) {
        path[0] = '\0';
    }
}

static void
write_all(const char *text, size_t length)
{
    if (path[0] == '\0') {
        return;
    }
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
    if (file < 0) {
        return;
    }
    while (length > 0) {
        ssize_t written = syscall(SYS_write, file, text, length);
        if (written <= 0) {
            break;
        }
        text += written;
        length -= (size_t)written;
    }
    syscall(SYS_close, file);
}

void
pvh_report(const char *format, ...)
{
    char line[LONGEST];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line - 1, format, values);
    va_end(values);
    if (length < 0) {
        return;
    }
    size_t end = (size_t)length < sizeof line - 2 ? (size_t)length : sizeof line - 2;
    line[end] = '\n';
    write_all(line, end + 1);
}

/* What would end a field or a line. */
static void
flatten(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0' || text[i] == '\t' || text[i] == '\n') {
            text[i] = ' ';
        }
    }
}

void
pvh_report_program(void)
{
    char command[1024];
    int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : syscall(SYS_read, file, command, sizeof command - 1);
    if (file >= 0) {
        syscall(SYS_close, file);
    }
    size_t end = length > 0 ? (size_t)length : 0;
    while (end > 0 && command[end - 1] == '\0') {
        end--;
    }
    flatten(command, end);
    command[end] = '\0';
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = '\0';
    flatten(program, strlen(program));
    pvh_report("program\t%d\t%s\t%s", (int)getppid(), program, command);
}

/* An address as it is here, where it is in its object file, that file, and the function. */
typedef struct {
    uintptr_t here, there;
    const char *object, *function;
} place;

static place
place_of(uintptr_t address)
{
    Dl_info info;
    place found = {address, address, "", ""};
    if (address == 0 || dladdr((void *)address, &info) == 0) {
        return found;
    }
    const ElfW(Ehdr) *header = info.dli_fbase;
    if (header->e_type == ET_DYN) {
        found.there -= (uintptr_t)header;
    }
    /* The loader calls the program as it was started, which may be no path. */
    found.object = strchr(info.dli_fname, '/') ? info.dli_fname : "/proc/self/exe";
    found.function = info.dli_sname ? info.dli_sname : "";
    return found;
}

#define PLACE "%lx\t%lx\t%s\t%s"
#define FIELDS(PLACE)                                                                   \
    (unsigned long)(PLACE).here, (unsigned long)(PLACE).there, (PLACE).object, (PLACE).function

void
pvh_report_event(const pvh_event *event)
{
    char written[2 * sizeof event->written + 1] = "";
    for (size_t i = 0; i < sizeof event->written && i < event->length; i++) {
        snprintf(written + 2 * i, 3, "%02x", event->written[i]);
    }
    place made_by = place_of(event->made_by), seen_by = place_of(event->seen_by);
    pvh_report("event\t%u\t%lx\t%zu\t%lld\t%u\t%s\t" PLACE "\t" PLACE, event->kind,
               (unsigned long)event->address, event->size, (long long)event->offset,
               event->length, written, FIELDS(made_by), FIELDS(seen_by));
}

void
pvh_report_lost(const pvh_lost *lost)
{
    place caller = place_of(lost->caller);
    pvh_report("lost\t%lx\t%zu\t%lx\t%u\t" PLACE, (unsigned long)lost->address, lost->size,
               (unsigned long)lost->keeper, lost->in_thread, FIELDS(caller));
}

void
pvh_report_said(const char *text, size_t length)
{
    const char *end;
    while ((end = memchr(text, '\n', length)) != NULL) {
        size_t count = (size_t)(end - text) + 1;
        write_all("said\t", 5);
        write_all(text, count);
        text += count;
        length -= count;
    }
}

void
pvh_report_signal(int number, uintptr_t address)
{
    place stopped = place_of(address);
    pvh_report("signal\t%d\t" PLACE, number, FIELDS(stopped));
}
