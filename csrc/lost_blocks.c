#include <stddef.h>

#include "lost_blocks.h"

#include <Python.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "requests.h"

/* "==PID== 8 bytes in 1 blocks are definitely lost in loss record 1,234 of 2,000",
   with a time and a space before the process id if --time-stamp=yes. */
static void
list_blocks_of(const char *line, const char *mark)
{
    const char *number = strstr(line, "loss record ");
    const char *place = strstr(line, mark);
    if (strncmp(line, "==", 2) != 0 || place == NULL
        || (place != line + 2 && place[-1] != ' ') || number == NULL
        || strstr(line, " definitely lost in ") == NULL) {
        return;
    }
    /* For each block that another has kept, valgrind looks through all blocks. */
    static const char limit[] = " limited 1000";
    char command[64] = "block_list ";
    size_t end = strlen(command);
    for (number += strlen("loss record "); *number >= ',' && *number <= '9'; number++) {
        if (*number != ',' && end < sizeof command - sizeof limit) {
            command[end++] = *number;
        }
    }
    strcpy(command + end, limit);
    pvg_monitor_command(command);
}

void
pvg_list_lost_blocks(const char *log, long offset)
{
    static char path[PATH_MAX], chunk[1 << 16];
    char mark[32];
    snprintf(mark, sizeof mark, "%d== ", (int)getpid());
    size_t length = 0;
    for (const char *next = log; *next != '\0' && length < sizeof path - 16; next++) {
        if (*next == '%' && *++next == 'p') {
            length += (size_t)sprintf(path + length, "%d", (int)getpid());
        } else {
            path[length++] = *next;
        }
    }
    path[length] = '\0';
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) {
        return;
    }
    pvg_print("pytest-valgrind: the blocks of what was lost");
    /* The answers go to the same file. */
    size_t kept = 0;
    while (offset < status.st_size) {
        size_t room = sizeof chunk - 1 - kept;
        size_t rest = (size_t)(status.st_size - offset);
        ssize_t count = pread(file, chunk + kept, rest < room ? rest : room, offset);
        if (count <= 0) {
            break;
        }
        offset += count;
        chunk[kept + (size_t)count] = '\0';
        char *line = chunk, *end;
        while ((end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            list_blocks_of(line, mark);
            line = end + 1;
        }
        kept = strlen(line);
        memmove(chunk, line, kept);
        if (kept == sizeof chunk - 1) {
            kept = 0;
        }
    }
    close(file);
}

/* Before an object stand the collector's two words, and from 3.11 on two more
   for the instance's dict and weak references. */
static const size_t offsets[] = {0, 16, 32};

enum { MOST_REFERENCES = 1 << 20 };

static int
is_type(PyObject *object)
{
    if (!pvg_is_readable(object, sizeof *object)) {
        return 0;
    }
    PyObject *meta = (PyObject *)Py_TYPE(object);
    if (meta == (PyObject *)&PyType_Type) {
        return 1;
    }
    return pvg_is_readable(meta, sizeof *meta) && Py_TYPE(meta) == &PyType_Type
           && PyType_IsSubtype((PyTypeObject *)meta, &PyType_Type);
}

void *
pvg_object_in(char *block, size_t size)
{
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        PyObject *object = (PyObject *)(block + offsets[i]);
        /* What was never written holds what stood there before: it may be an object of old. */
        if (offsets[i] + sizeof *object > size || !pvg_is_written(object, sizeof *object)) {
            continue;
        }
        /* An address, as the list of a container's items begins with, is more. */
        if (Py_REFCNT(object) > 0 && Py_REFCNT(object) < MOST_REFERENCES
            && is_type((PyObject *)Py_TYPE(object))) {
            return object;
        }
    }
    return NULL;
}
