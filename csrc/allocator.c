#include "allocator.h"

#include <Python.h>
#include <valgrind/memcheck.h>

enum {
    SAMPLES = 4,
    SIZE = 40,
    /* Past the object: room for the guard bytes of PYTHONMALLOC=malloc_debug,
       then for memcheck's red zone (16 bytes) behind the block. */
    REACH = 64
};

/* Memcheck's red zone lies behind a block of malloc. Behind an object of
   pymalloc or mimalloc lies the next object, or the rest of the arena. */
static int
ends_in_a_red_zone(const char *object)
{
    unsigned char vbits;
    for (int i = SIZE; i < SIZE + REACH; i++) {
        if (VALGRIND_GET_VBITS(object + i, &vbits, 1) == 3) {
            return 1;
        }
    }
    return 0;
}

int
pvg_one_block_per_object(void)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    char *objects[SAMPLES];
    int with_red_zone = 0;
    for (int i = 0; i < SAMPLES; i++) {
        objects[i] = PyObject_Malloc(SIZE);
    }
    for (int i = 0; i < SAMPLES; i++) {
        with_red_zone += objects[i] != NULL && ends_in_a_red_zone(objects[i]);
        PyObject_Free(objects[i]);
    }
    PyGILState_Release(gil);
    /* One object may be the last of its arena; not all of them. */
    return with_red_zone == SAMPLES;
}
