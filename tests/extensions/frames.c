/* Prints the stack below each number, for tests/integration/test_frames.py. */

#include <stdlib.h>
#include <valgrind/valgrind.h>

#include "frames.h"

static void *
print(void *argument)
{
    VALGRIND_PRINTF_BACKTRACE("number %d\n", *(int *)argument);
    return argument;
}

int
main(void)
{
    for (int number = 0; number < pvg_numbers(); number++) {
        if (pvg_inside_test(number, print, &number) != &number) {
            return 1;
        }
    }
    int number = -1;
    return pvg_outside_tests(print, &number) != &number;
}
