#include "defects.h"

#include <Python.h>
#include <stdlib.h>

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
    bool result = object == Py_True;
    Py_XDECREF(object);
    PyGILState_Release(gil);
    free(never_initialized);
    return result;
}
