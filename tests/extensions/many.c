/* An extension module with a thousand different errors, more than valgrind takes by default. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

static volatile int decided;

#define ERR(N)                                                                \
    __attribute__((noinline)) static void err_##N(const volatile int *value)  \
    {                                                                         \
        if (*value == N) {                                                    \
            decided = N;                                                      \
        }                                                                     \
    }
#define TEN(MACRO, N)                                                         \
    MACRO(N##0) MACRO(N##1) MACRO(N##2) MACRO(N##3) MACRO(N##4)               \
    MACRO(N##5) MACRO(N##6) MACRO(N##7) MACRO(N##8) MACRO(N##9)
#define HUNDRED(MACRO, N)                                                     \
    TEN(MACRO, N##0) TEN(MACRO, N##1) TEN(MACRO, N##2) TEN(MACRO, N##3)       \
    TEN(MACRO, N##4) TEN(MACRO, N##5) TEN(MACRO, N##6) TEN(MACRO, N##7)       \
    TEN(MACRO, N##8) TEN(MACRO, N##9)
#define ALL(MACRO)                                                            \
    HUNDRED(MACRO, 1) HUNDRED(MACRO, 2) HUNDRED(MACRO, 3) HUNDRED(MACRO, 4)   \
    HUNDRED(MACRO, 5) HUNDRED(MACRO, 6) HUNDRED(MACRO, 7) HUNDRED(MACRO, 8)   \
    HUNDRED(MACRO, 9) HUNDRED(MACRO, 10)

ALL(ERR)

#define CALL(N) err_##N(value);

static PyObject *
err_a_thousand_times(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    int *volatile value = malloc(sizeof *value);
    ALL(CALL)
    free(value);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"err_a_thousand_times", err_a_thousand_times, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "many", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit_many(void)
{
    return PyModule_Create(&module);
}
