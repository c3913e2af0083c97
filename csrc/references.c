#include "references.h"

#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* From 3.14 on the upper half of the word is no count, and 3.12 marks what lives for ever by the
   highest bit of the lower half. No object of an earlier version has that many references. */
static int32_t
count_of(PyObject *object)
{
#ifdef Py_GIL_DISABLED
    return (int32_t)Py_REFCNT(object);
#else
    int32_t count;
    memcpy(&count, (char *)object + offsetof(PyObject, ob_refcnt), sizeof count);
    return count;
#endif
}

static Py_ssize_t
items_of(PyObject *object)
{
    if (PyList_CheckExact(object)) {
        return PyList_Size(object);
    }
    if (PyDict_CheckExact(object)) {
        return PyDict_Size(object);
    }
    return PyAnySet_CheckExact(object) ? PySet_Size(object) : 0;
}

long long
pvg_sum_references(void *objects)
{
    long long sum = 0;
    Py_ssize_t size = PyList_Size(objects);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *object = PyList_GetItem(objects, i);
        int32_t count = count_of(object);
        sum += (count > 0 ? count - 1 : 0) + items_of(object);
    }
    return sum;
}
