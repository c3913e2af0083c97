/* CPython 3.11 leaves the digit of a new zero unwritten and multiplies it by
   the zero that is its size: harmless, but memcheck takes the product, and the
   address of the small int that it leads to, for uninitialised, and from there
   on every use of that int (cpython#119022, not fixed in 3.11). Here valgrind
   wraps _PyLong_New (its manual, 3.3) to do what that issue proposes: write the
   digit. No error is hidden; the taint is gone.

   A shared object of its own, without a symbol of Python's: the launcher
   preloads it, because ints are tainted before any module is imported. */

#include <stdint.h>
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

enum { OFFSET_OF_DIGITS = 24 };  /* reference count, type and size come first */

static void *
with_first_digit_written(void *integer)
{
    if (integer != 0) {
        *(uint32_t *)((char *)integer + OFFSET_OF_DIGITS) = 0;
    }
    return integer;
}

#define WRAP_PYLONG_NEW(OBJECT)                                               \
    void *I_WRAP_SONAME_FNNAME_ZU(OBJECT, _PyLong_New)(long size);            \
    void *I_WRAP_SONAME_FNNAME_ZU(OBJECT, _PyLong_New)(long size)             \
    {                                                                         \
        OrigFn original;                                                      \
        void *integer;                                                        \
        VALGRIND_GET_ORIG_FN(original);                                       \
        CALL_FN_W_W(integer, original, size);                                 \
        return with_first_digit_written(integer);                             \
    }

WRAP_PYLONG_NEW(libpython3Zd11ZdsoZd1Zd0)   /* libpython3.11.so.1.0 */
WRAP_PYLONG_NEW(libpython3Zd11dZdsoZd1Zd0)  /* its debug build */
WRAP_PYLONG_NEW(NONE)                       /* an interpreter in one piece */

/* Where this comes too late to be preloaded: marks the tainted pointers in a
   range of memory as initialised, those to `target`, the small int 0, which is
   the only one that a zero leads to. Returns how many there were. */
unsigned long pvg_untaint(uintptr_t start, uintptr_t end, uintptr_t target);

unsigned long
pvg_untaint(uintptr_t start, uintptr_t end, uintptr_t target)
{
    unsigned long untainted = 0;
    /* Reading all of memory is what memcheck is there to complain about. */
    VALGRIND_DISABLE_ERROR_REPORTING;
    for (uintptr_t at = start; at + sizeof at <= end; at += sizeof at) {
        uintptr_t *word = (uintptr_t *)at;
        uintptr_t vbits = 0;
        if (*word == target
            && VALGRIND_GET_VBITS(word, &vbits, sizeof vbits) == 1 && vbits) {
            (void)VALGRIND_MAKE_MEM_DEFINED(word, sizeof *word);
            untainted++;
        }
    }
    VALGRIND_ENABLE_ERROR_REPORTING;
    return untainted;
}
