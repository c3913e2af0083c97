/* The operators new and delete of C++, which memcheck replaces on their own. */

/* For RTLD_NOLOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

#include "counting_numbers.h"

/* Those of libstdc++ or libc++, wherever it was loaded; NULL where there is none, as it is in an
   extension that has it within. */
static void *
of_library(void **known, const char *name)
{
    static const char *const libraries[] = {"libstdc++.so.6", "libc++.so.1"};
    for (size_t i = 0; pvg_next(known, name) == NULL && i < 2; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library != NULL) {
            *known = dlsym(library, name);
        }
    }
    return *known;
}

/* By the names that the compiler makes of operators; the further arguments go on as they are. */
#define MAKES(NAME, INSTEAD, ARGUMENTS, PASSED)                               \
    REPLACED void *NAME ARGUMENTS;                                            \
    REPLACED void *                                                           \
    NAME ARGUMENTS                                                            \
    {                                                                         \
        static void *known;                                                   \
        void *(*next) ARGUMENTS;                                              \
        *(void **)&next = of_library(&known, #NAME);                          \
        if (next == NULL) {                                                   \
            return INSTEAD;                                                   \
        }                                                                     \
        if (size >= MAY_FAIL) {                                               \
            void *block = next PASSED;                                        \
            if (block != NULL) {                                              \
                pvg_count_made(size);                                             \
            }                                                                 \
            return block;                                                     \
        }                                                                     \
        pvg_count_made(size);                                                     \
        return next PASSED;                                                   \
    }

#define FREES(NAME, ARGUMENTS, PASSED)                                        \
    REPLACED void NAME ARGUMENTS;                                             \
    REPLACED void                                                             \
    NAME ARGUMENTS                                                            \
    {                                                                         \
        static void *known;                                                   \
        void (*next) ARGUMENTS;                                               \
        *(void **)&next = of_library(&known, #NAME);                          \
        if (next == NULL) {                                                   \
            free(block);                                                      \
            return;                                                           \
        }                                                                     \
        if (block != NULL) {                                                  \
            pvg_count_freed(block);                                               \
        }                                                                     \
        next PASSED;                                                          \
    }

MAKES(_Znwm, malloc(size), (size_t size), (size))
MAKES(_Znam, malloc(size), (size_t size), (size))
MAKES(_ZnwmRKSt9nothrow_t, malloc(size), (size_t size, void *tag), (size, tag))
MAKES(_ZnamRKSt9nothrow_t, malloc(size), (size_t size, void *tag), (size, tag))
FREES(_ZdlPv, (void *block), (block))
FREES(_ZdaPv, (void *block), (block))
FREES(_ZdlPvm, (void *block, size_t size), (block, size))
FREES(_ZdaPvm, (void *block, size_t size), (block, size))
FREES(_ZdlPvRKSt9nothrow_t, (void *block, void *tag), (block, tag))
FREES(_ZdaPvRKSt9nothrow_t, (void *block, void *tag), (block, tag))

/* Of types with an alignment of their own. */
MAKES(_ZnwmSt11align_val_t, memalign(power, size), (size_t size, size_t power), (size, power))
MAKES(_ZnamSt11align_val_t, memalign(power, size), (size_t size, size_t power), (size, power))
FREES(_ZdlPvSt11align_val_t, (void *block, size_t power), (block, power))
FREES(_ZdaPvSt11align_val_t, (void *block, size_t power), (block, power))
FREES(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t power), (block, size, power))
FREES(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t power), (block, size, power))
