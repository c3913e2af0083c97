/* An extension module with a defect in every function, for the tests. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Keeps the compiler from seeing what is wrong. */
static void *volatile hidden;

static PyObject *
leak(PyObject *self, PyObject *args)
{
    (void)self;
    Py_ssize_t size = 10;
    if (!PyArg_ParseTuple(args, "|n", &size)) {
        return NULL;
    }
    hidden = malloc((size_t)size);
    hidden = NULL;
    Py_RETURN_NONE;
}

/* A block that is reachable from here, */
static void *volatile kept;

static PyObject *
keep(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    kept = malloc(50);
    Py_RETURN_NONE;
}

/* until it is lost. */
static PyObject *
lose(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    kept = NULL;
    Py_RETURN_NONE;
}

static void
leak_below(int depth)
{
    if (depth > 0) {
        leak_below(depth - 1);
        hidden = NULL; /* no tail call */
    } else {
        hidden = malloc(60);
        hidden = NULL;
    }
}

/* Too deep for valgrind to see who called. */
static PyObject *
leak_deep(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    leak_below(600);
    Py_RETURN_NONE;
}

/* A reference too many: the object is never freed. */
static PyObject *
leak_reference(PyObject *self, PyObject *object)
{
    (void)self;
    Py_INCREF(object);
    Py_RETURN_NONE;
}

static PyObject *
read_past_end(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    hidden = malloc(8);
    volatile char *block = hidden;
    (void)block[8];
    free(hidden);
    Py_RETURN_NONE;
}

static PyObject *
write_after_free(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    hidden = malloc(8);
    volatile char *block = hidden;
    free(hidden);
    block[1] = 1;
    Py_RETURN_NONE;
}

static PyObject *
free_twice(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    hidden = malloc(8);
    void *again = hidden;
    free(hidden);
    hidden = again;
    free(hidden);
    Py_RETURN_NONE;
}

static PyObject *
decide_uninitialised(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    hidden = malloc(8);
    volatile char *block = hidden;
    if (block[3]) {
        hidden = NULL;
    }
    free((void *)block);
    Py_RETURN_NONE;
}

/* The address of four bytes that nobody has written. */
static PyObject *
unwritten(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    hidden = malloc(4);
    return PyLong_FromVoidPtr(hidden);
}

/* Nothing wrong here: decides upon an int that Python made. */
static PyObject *
decide(PyObject *self, PyObject *integer)
{
    (void)self;
    long value = PyLong_AsLong(integer);
    if (value == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return PyBool_FromLong(value > 0);
}

static void *
leak_in_this_thread(void *unused)
{
    (void)unused;
    hidden = malloc(33);
    hidden = NULL;
    return NULL;
}

static PyObject *
leak_in_thread(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    pthread_t thread;
    if (pthread_create(&thread, NULL, leak_in_this_thread, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    Py_RETURN_NONE;
}

static void *
do_nothing(void *unused)
{
    return unused;
}

static PyObject *
run_thread(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    pthread_t thread;
    if (pthread_create(&thread, NULL, do_nothing, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    Py_RETURN_NONE;
}

static PyObject *
crash(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    hidden = NULL;
    *(volatile int *)hidden = 1;
    Py_RETURN_NONE;
}

/* As glibc does when it finds the heap corrupt, and C++ for an exception that nobody catches. */
static PyObject *
abort_process(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    abort();
}

static PyObject *
divide_by_zero(PyObject *self, PyObject *arguments)
{
    int divisor;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "i", &divisor)) {
        return NULL;
    }
    volatile int dividend = 1;
    return PyLong_FromLong(dividend / divisor);
}

/* One of AVX-512 (vpxord), which valgrind 3.19 does not know. */
static PyObject *
illegal_instruction(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
#ifdef __x86_64__
    __asm__ volatile(".byte 0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0");
#else
    __builtin_trap();
#endif
    Py_RETURN_NONE;
}

/* Waits, with the interpreter's lock, until a signal comes. */
static PyObject *
wait_for_signal(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    sleep(1000);
    Py_RETURN_NONE;
}

/* Never comes back. */
static PyObject *
loop(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    for (volatile bool goes_on = true; goes_on;) {
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"leak", leak, METH_VARARGS, NULL},
    {"keep", keep, METH_NOARGS, NULL},
    {"lose", lose, METH_NOARGS, NULL},
    {"leak_deep", leak_deep, METH_NOARGS, NULL},
    {"leak_reference", leak_reference, METH_O, NULL},
    {"read_past_end", read_past_end, METH_NOARGS, NULL},
    {"write_after_free", write_after_free, METH_NOARGS, NULL},
    {"free_twice", free_twice, METH_NOARGS, NULL},
    {"decide_uninitialised", decide_uninitialised, METH_NOARGS, NULL},
    {"unwritten", unwritten, METH_NOARGS, NULL},
    {"decide", decide, METH_O, NULL},
    {"leak_in_thread", leak_in_thread, METH_NOARGS, NULL},
    {"run_thread", run_thread, METH_NOARGS, NULL},
    {"crash", crash, METH_NOARGS, NULL},
    {"abort_process", abort_process, METH_NOARGS, NULL},
    {"divide_by_zero", divide_by_zero, METH_VARARGS, NULL},
    {"illegal_instruction", illegal_instruction, METH_NOARGS, NULL},
    {"wait_for_signal", wait_for_signal, METH_NOARGS, NULL},
    {"loop", loop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "defective", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit_defective(void)
{
    return PyModule_Create(&module);
}
