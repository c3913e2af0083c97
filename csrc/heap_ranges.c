/* For syscall and memmem. */
#define _GNU_SOURCE
#include "heap_ranges.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap_pages.h"

enum { MOST_RANGES = 1 << 16 };

static pvh_range *ranges;
static size_t range_count;

static int
has(const char *start, const char *end, const char *word)
{
    return memmem(start, (size_t)(end - start), word, strlen(word)) != NULL;
}

static const char *
read_number(const char *next, uintptr_t *number)
{
    *number = 0;
    for (;; next++) {
        int digit = *next >= '0' && *next <= '9' ? *next - '0'
                    : *next >= 'a' && *next <= 'f' ? *next - 'a' + 10 : -1;
        if (digit < 0) {
            return next;
        }
        *number = *number << 4 | (uintptr_t)digit;
    }
}

/* "55d0c0a2b000-55d0c0a4c000 rw-p 00000000 00:00 0      [heap]" */
static void
take(const char *line, const char *end)
{
    pvh_range *range = &ranges[range_count];
    const char *rights = read_number(line, &range->start);
    rights = read_number(rights + 1, &range->end) + 1;
    if (end - rights < 5 || rights[0] != 'r' || range_count == MOST_RANGES) {
        return;
    }
    range->is_private = rights[3] == 'p';
    /* [vvar], [vdso], [vsyscall]; and memory that is shared with other programs. */
    int is_anybodys = has(rights, end, "[v")
                      || (has(rights, end, " /dev/") && !has(rights, end, " /dev/zero"))
                      || (!range->is_private && has(rights, end, " /")
                          && !has(rights, end, " /dev/zero"));
    range->is_heap = has(rights, end, "[heap]");
    range->is_loader = has(rights, end, "/ld-linux");
    range->is_root = rights[1] == 'w' && !is_anybodys && !range->is_heap;
    if (!has(rights, end, "[v")) {
        range_count++;
    }
}

int
pvh_read_ranges(void)
{
    static char lines[1 << 16];
    if (ranges == NULL) {
        ranges = pvh_new_pages(MOST_RANGES * sizeof *ranges);
    }
    int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (ranges == NULL || file < 0) {
        return -1;
    }
    range_count = 0;
    size_t kept = 0;
    ssize_t count;
    while ((count = syscall(SYS_read, file, lines + kept, sizeof lines - kept)) > 0) {
        const char *line = lines, *end = lines + kept + count, *stop;
        while ((stop = memchr(line, '\n', (size_t)(end - line))) != NULL) {
            take(line, stop);
            line = stop + 1;
        }
        kept = (size_t)(end - line);
        memmove(lines, line, kept);
        if (kept == sizeof lines) {
            kept = 0;
        }
    }
    syscall(SYS_close, file);
    return 0;
}

size_t
pvh_ranges(const pvh_range **first)
{
    *first = ranges;
    return range_count;
}

const pvh_range *
pvh_range_with(uintptr_t address)
{
    size_t low = 0, high = range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < range_count && ranges[low].start <= address ? &ranges[low] : NULL;
}
