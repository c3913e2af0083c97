/* A program with the defects that its arguments name. */

#include <stdlib.h>
#include <string.h>

static void *volatile hidden;

static void
leak(void)
{
    hidden = malloc(44);
    hidden = NULL;
}

static void
read_past_end(void)
{
    hidden = malloc(8);
    volatile char *block = hidden;
    (void)block[8];
    free(hidden);
}

int
main(int count, char **words)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "leak") == 0) {
            leak();
        } else if (strcmp(words[i], "read_past_end") == 0) {
            read_past_end();
        } else if (strcmp(words[i], "crash") == 0) {
            hidden = NULL;
            *(volatile int *)hidden = 1;
        }
    }
    return 0;
}
