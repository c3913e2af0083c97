#include "frames.h"

#include <Python.h>

#define FRAME __attribute__((noinline))

static void
call(void *callable)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result = PyObject_CallObject(callable, NULL);
    if (result == NULL) {
        PyErr_WriteUnraisable(callable);
    }
    Py_XDECREF(result);
    PyGILState_Release(gil);
}

/* The assembly differs, and comes after the call: neither a tail call nor the
   folding of identical functions can take the frame away. */
FRAME void
pvg_inside_test(void *callable)
{
    call(callable);
    __asm__ volatile("# inside test" ::: "memory");
}

FRAME void
pvg_outside_tests(void *callable)
{
    call(callable);
    __asm__ volatile("# outside tests" ::: "memory");
}
