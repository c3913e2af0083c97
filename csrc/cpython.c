#include "cpython.h"

#include <Python.h>

long
pvg_minor_version(void)
{
    PyObject *version = PySys_GetObject("hexversion");
    return version == NULL ? 0 : PyLong_AsLong(version) >> 16 & 0xFF;
}

void *
pvg_attribute(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *found = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return found;
}
