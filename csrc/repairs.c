/* Three false alarms, mended at their source rather than hidden.

   Valgrind lets a shared object replace or wrap functions of others by the
   names of its own (its manual, 3.3). This one uses no symbol of Python, so
   that the launcher can preload it: ints are tainted, and functions chosen for
   the processor at hand, before the first module is imported. */

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <wchar.h>

#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

/* --- CPython 3.11's integers ---

   It leaves the digit of a new zero unwritten and multiplies it by the zero
   that is its size: harmless, but memcheck takes the product, and the address
   of the small int that it leads to, for uninitialised, and from there on every
   use of that int (cpython#119022, not fixed in 3.11). Here _PyLong_New writes
   the digit, as proposed there. */

enum { OFFSET_OF_DIGITS = 24 };  /* reference count, type and size come first */

extern const char *Py_GetVersion(void) __attribute__((weak));

static int
is_cpython_311(void)
{
    static int known = -1;
    if (known < 0) {
        const char *version = Py_GetVersion ? Py_GetVersion() : "";
        known = version[0] == '3' && version[1] == '.' && version[2] == '1'
                && version[3] == '1' && version[4] == '.';
    }
    return known;
}

#define WRAP_PYLONG_NEW(OBJECT)                                               \
    void *I_WRAP_SONAME_FNNAME_ZU(OBJECT, _PyLong_New)(long size);            \
    void *I_WRAP_SONAME_FNNAME_ZU(OBJECT, _PyLong_New)(long size)             \
    {                                                                         \
        OrigFn original;                                                      \
        void *integer;                                                        \
        VALGRIND_GET_ORIG_FN(original);                                       \
        CALL_FN_W_W(integer, original, size);                                 \
        if (integer != NULL && is_cpython_311()) {                            \
            *(uint32_t *)((char *)integer + OFFSET_OF_DIGITS) = 0;            \
        }                                                                     \
        return integer;                                                       \
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
    enum { PAGE = 4096 };
    uintptr_t words[PAGE / sizeof(uintptr_t)];
    unsigned long untainted = 0;
    /* By way of a file, as what was mapped a moment ago may not be any more. */
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    if (memory < 0) {
        return 0;
    }
    for (uintptr_t page = start; page + PAGE <= end; page += PAGE) {
        if (pread(memory, words, PAGE, (off_t)page) != PAGE) {
            continue;
        }
        for (size_t i = 0; i < PAGE / sizeof(uintptr_t); i++) {
            uintptr_t *word = (uintptr_t *)page + i;
            uintptr_t vbits = 0;
            if (words[i] == target
                && VALGRIND_GET_VBITS(word, &vbits, sizeof vbits) == 1 && vbits) {
                (void)VALGRIND_MAKE_MEM_DEFINED(word, sizeof *word);
                untainted++;
            }
        }
    }
    close(memory);
    return untainted;
}

/* --- glibc's wmemcmp ---

   Its versions for SSE and AVX read whole vectors, beyond the end of a block
   but never of a page. Valgrind replaces such functions by plain loops, and
   3.19 has forgotten this one, by which CPython compares strings with
   characters beyond U+FFFF. */

#define REPLACE_WMEMCMP(NAME)                                                 \
    int I_REPLACE_SONAME_FNNAME_ZU(libcZdsoZa, NAME)(                         \
        const wchar_t *left, const wchar_t *right, size_t count);             \
    int I_REPLACE_SONAME_FNNAME_ZU(libcZdsoZa, NAME)(                         \
        const wchar_t *left, const wchar_t *right, size_t count)              \
    {                                                                         \
        for (size_t i = 0; i < count; i++) {                                  \
            if (left[i] != right[i]) {                                        \
                return left[i] < right[i] ? -1 : 1;                           \
            }                                                                 \
        }                                                                     \
        return 0;                                                             \
    }

REPLACE_WMEMCMP(wmemcmp)
/* Where this comes after the choice has been made. */
REPLACE_WMEMCMP(__wmemcmp_sse2)
REPLACE_WMEMCMP(__wmemcmp_sse4_1)
REPLACE_WMEMCMP(__wmemcmp_ssse3)
REPLACE_WMEMCMP(__wmemcmp_avx2_movbe)
REPLACE_WMEMCMP(__wmemcmp_avx2_movbe_rtm)
REPLACE_WMEMCMP(__wmemcmp_evex_movbe)

/* --- the loader's strncmp ---

   The same with vectors of eight bytes, in glibc 2.36's loader when it looks
   for $ORIGIN in the path of a library, as wheels that bring libraries have it.
   Valgrind 3.19 replaces strcmp and others there, and not this one. */

int I_REPLACE_SONAME_FNNAME_ZU(ldZhlinuxZa, strncmp)(
    const char *left, const char *right, size_t count);

int
I_REPLACE_SONAME_FNNAME_ZU(ldZhlinuxZa, strncmp)(
    const char *left, const char *right, size_t count)
{
    const unsigned char *a = (const unsigned char *)left;
    const unsigned char *b = (const unsigned char *)right;
    for (; count > 0; a++, b++, count--) {
        if (*a != *b || *a == '\0') {
            return *a - *b;
        }
    }
    return 0;
}
