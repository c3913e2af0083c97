#include "defects.h"

#include <Python.h>
#include <stdlib.h>

#include <valgrind/memcheck.h>

unsigned long
create_leak(void)
{
    double *data = malloc(sizeof(double));
    /* Hidden, so that neither the compiler nor a pointer that stays in a
       Python int keeps the block alive. */
    return ~(unsigned long)data;
}

bool
access_invalid(void)
{
    long *never_initialized = malloc(sizeof(long));
    if (never_initialized == NULL) {
        return false;
    }
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *object = PyBool_FromLong(*never_initialized);
    /* Where PyBool_FromLong has no branch, the pointer is as undefined as the
       value, and this branch is the error. */
    volatile bool result = false;
    if (object == Py_True) {
        result = true;
    }
    /* One error is enough: not another with each thing that is done with it. */
    (void)VALGRIND_MAKE_MEM_DEFINED(&object, sizeof object);
    Py_XDECREF(object);
    PyGILState_Release(gil);
    free(never_initialized);
    return result;
}
