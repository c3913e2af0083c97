#include "callables.h"

#include <Python.h>

#include "clones.h"
#include "collector.h"
#include "ended_threads.h"
#include "frames.h"
#include "heapcheck.h"
#include "interpreter_lock.h"
#include "lost_blocks.h"
#include "references.h"
#include "threads.h"

typedef struct {
    PyObject *callable;
    PyObject *arguments;
} call;

static void *
perform(void *argument)
{
    call *wanted = argument;
    return PyObject_CallObject(wanted->callable, wanted->arguments);
}

/* The callable stands at `first`, what it is called with behind it. */
static int
prepare(call *prepared, PyObject *const *arguments, Py_ssize_t count, Py_ssize_t first)
{
    if (count <= first) {
        PyErr_SetString(PyExc_TypeError, "a callable is missing");
        return 0;
    }
    prepared->callable = arguments[first];
    prepared->arguments = PyTuple_New(count - first - 1);
    if (prepared->arguments == NULL) {
        return 0;
    }
    for (Py_ssize_t i = first + 1; i < count; i++) {
        Py_INCREF(arguments[i]);
        PyTuple_SetItem(prepared->arguments, i - first - 1, arguments[i]);
    }
    return 1;
}

static PyObject *
inside_test(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    call wanted;
    if (!prepare(&wanted, arguments, count, 1)) {
        return NULL;
    }
    PyObject *result = NULL;
    long number = PyLong_AsLong(arguments[0]);
    if (!PyErr_Occurred()) {
        int before = pvg_number_for_threads((int)number);
        result = pvg_inside_test((int)number, perform, &wanted);
        pvg_number_for_threads(before);
    }
    Py_DECREF(wanted.arguments);
    return result;
}

static PyObject *
outside_tests(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    call wanted;
    if (!prepare(&wanted, arguments, count, 0)) {
        return NULL;
    }
    PyObject *result = pvg_outside_tests(perform, &wanted);
    Py_DECREF(wanted.arguments);
    return result;
}

static void
explain(void *callable)
{
    pvg_restore_weakrefs();
    PyObject *result = PyObject_CallObject(callable, NULL);
    if (result == NULL) {
        PyErr_Print();
    }
}

typedef struct {
    PyObject *callable;
    int untracks;
} preparation;

static void
prepare_for_check(void *argument)
{
    preparation *wanted = argument;
    if (wanted->callable != Py_None) {
        PyObject *result = PyObject_CallObject(wanted->callable, NULL);
        if (result == NULL) {
            PyErr_Print();
        }
        Py_XDECREF(result);
    }
    pvg_untrack(wanted->untracks);
}

static PyObject *
clone_process(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    long which = count == 7 ? PyLong_AsLong(arguments[0]) : -1;
    if (which < 0 || which >= PVG_CLONES) {
        PyErr_SetString(PyExc_ValueError, "there is no such place for a clone");
        return NULL;
    }
    preparation wanted = {
        .callable = arguments[3],
        .untracks = (int)PyLong_AsLong(arguments[2]),
    };
    if (PyErr_Occurred() || (wanted.untracks && pvg_find_collector() < 0)) {
        return NULL;
    }
    pvg_clone_work work = {.prepare = prepare_for_check, .prepare_argument = &wanted};
    if (arguments[4] != Py_None) {
        work.explain = explain;
        work.explain_argument = arguments[4];
        work.log = PyBytes_AsString(arguments[5]);
        work.offset = PyLong_AsLong(arguments[6]);
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    /* Under valgrind the stack is a root: what is called here would leave pointers on it. */
    int is_native = pvg_heap() != NULL;
    double interval = 0;
    if (is_native) {
        pvg_wait_for_ended_threads();
        interval = pvg_let_others_go_first();
    }
    /* Threads that have asked for the interpreter's lock get it now. */
    Py_BEGIN_ALLOW_THREADS;
    Py_END_ALLOW_THREADS;
    int pid = pvg_clone_and_check((int)which, arguments[1] == Py_True, work);
    int error = errno;
    pvg_let_others_interrupt(interval);
    errno = error;
    return pid < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(pid);
}

static PyObject *
object_in(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "an address and a size are needed");
        return NULL;
    }
    char *block = PyLong_AsVoidPtr(arguments[0]);
    size_t size = PyLong_AsSize_t(arguments[1]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyObject *object = pvg_object_in(block, size);
    if (object == NULL) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("nO", Py_REFCNT(object), object);
}

static PyObject *
sum_references(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    if (count != 1 || !PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "a list of objects is needed");
        return NULL;
    }
    return PyLong_FromLongLong(pvg_sum_references(arguments[0]));
}

static PyObject *
sum_frozen(PyObject *const *arguments, Py_ssize_t count, long long (*sum)(void *))
{
    if (count != 1 || !PyCallable_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "gc.freeze is needed");
        return NULL;
    }
    return PyLong_FromLongLong(sum(arguments[0]));
}

static PyObject *
sum_frozen_references(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    return sum_frozen(arguments, count, pvg_sum_frozen_references);
}

static PyObject *
sum_frozen_items(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    return sum_frozen(arguments, count, pvg_sum_frozen_items);
}

static PyObject *
leave_out(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    (void)self;
    if (count != 2 || !PyList_Check(arguments[0]) || !PyCallable_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "a list of objects and gc.freeze are needed");
        return NULL;
    }
    pvg_leave_out(arguments[0], arguments[1]);
    Py_RETURN_NONE;
}

static PyMethodDef calls[] = {
    {"inside_test", (PyCFunction)(void (*)(void))inside_test, METH_FASTCALL, NULL},
    {"outside_tests", (PyCFunction)(void (*)(void))outside_tests, METH_FASTCALL, NULL},
    {"clone", (PyCFunction)(void (*)(void))clone_process, METH_FASTCALL, NULL},
    {"object_in", (PyCFunction)(void (*)(void))object_in, METH_FASTCALL, NULL},
    {"sum_references", (PyCFunction)(void (*)(void))sum_references, METH_FASTCALL, NULL},
    {"leave_out", (PyCFunction)(void (*)(void))leave_out, METH_FASTCALL, NULL},
    {"sum_frozen_items", (PyCFunction)(void (*)(void))sum_frozen_items, METH_FASTCALL, NULL},
    {"sum_frozen_references", (PyCFunction)(void (*)(void))sum_frozen_references, METH_FASTCALL,
     NULL},
};

void
pvg_add_callables(void *dictionary)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        PyObject *function = PyCFunction_New(&calls[i], NULL);
        if (function == NULL
            || PyDict_SetItemString(dictionary, calls[i].ml_name, function) < 0) {
            PyErr_WriteUnraisable(dictionary);
        }
        Py_XDECREF(function);
    }
    PyGILState_Release(gil);
}
