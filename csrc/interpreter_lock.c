#include "interpreter_lock.h"

#include <Python.h>
#include <time.h>

/* Returns what a function of sys returns, NULL without an exception if it cannot be called. */
static PyObject *
call_of_sys(const char *name, PyObject *arguments)
{
    PyObject *function = PySys_GetObject(name);
    PyObject *result = function == NULL ? NULL : PyObject_CallObject(function, arguments);
    if (result == NULL) {
        PyErr_Clear();
    }
    return result;
}

static void
set_interval(double seconds)
{
    PyObject *arguments = Py_BuildValue("(d)", seconds);
    Py_XDECREF(arguments == NULL ? NULL : call_of_sys("setswitchinterval", arguments));
    Py_XDECREF(arguments);
}

static int
has_other_threads(void)
{
    PyObject *frames = call_of_sys("_current_frames", NULL);
    int has_others = frames != NULL && PyDict_Size(frames) > 1;
    Py_XDECREF(frames);
    return has_others;
}

double
pvg_let_others_go_first(void)
{
    /* Long enough for a clone to be made, and to wait for a thread that does not give up the lock
       by itself. */
    static const double LONG = 0.1, MARGIN = 0.001;
    PyObject *before = has_other_threads() ? call_of_sys("getswitchinterval", NULL) : NULL;
    double interval = before == NULL ? 0 : PyFloat_AsDouble(before);
    Py_XDECREF(before);
    if (interval <= 0 || interval >= LONG) {
        PyErr_Clear();
        return 0;
    }
    set_interval(LONG);
    /* Whoever waits already asks for it within the time that it began with: now, with the lock
       held. From then on nobody does before the long one is over. */
    struct timespec rest = {.tv_nsec = (long)((interval + MARGIN) * 1e9)};
    while (nanosleep(&rest, &rest) != 0) {
    }
    return interval;
}

void
pvg_let_others_interrupt(double interval)
{
    if (interval > 0) {
        set_interval(interval);
    }
}
