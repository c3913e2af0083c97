#include "references.h"

#include <Python.h>
#include <dlfcn.h>
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

static void
add_references(PyObject *object, long long *sum)
{
    int32_t count = count_of(object);
    *sum += (count > 0 ? count - 1 : 0) + items_of(object);
}

static int
visit(PyObject *object, void *sum)
{
    add_references(object, sum);
    return 1;
}

long long
pvg_sum_all_references(void)
{
    /* Not part of the limited API. It has a reference to each object while that is visited. */
    static void (*visit_objects)(int (*)(PyObject *, void *), void *);
    static int is_looked_up;
    if (!is_looked_up) {
        is_looked_up = 1;
        *(void **)&visit_objects = dlsym(RTLD_DEFAULT, "PyUnstable_GC_VisitObjects");
    }
    if (visit_objects == NULL) {
        return -1;
    }
    long long sum = 0;
    visit_objects(visit, &sum);
    return sum;
}

long long
pvg_sum_references(void *objects)
{
    long long sum = 0;
    Py_ssize_t size = PyList_Size(objects);
    for (Py_ssize_t i = 0; i < size; i++) {
        add_references(PyList_GetItem(objects, i), &sum);
    }
    return sum;
}
