#include <stddef.h>

#include "functions.h"

#include <Python.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "digits.h"
#include "frames.h"
#include "cpython.h"

/* An interpreter frame, which has another type in each release. */
typedef void *frame;
typedef PyObject *(*evaluator)(PyThreadState *thread, frame evaluated, int throws);
typedef PyObject *(*inner_digit)(PyThreadState *thread, frame evaluated, int throws);
typedef PyObject *(*outer_digit)(PyThreadState *thread, frame evaluated, int throws,
                                 inner_digit inner);

static evaluator evaluate_as_ever;

#define LOW(VALUE)                                                                    \
    FRAME PyObject *pvg_code_low_##VALUE(PyThreadState *thread, frame evaluated,      \
                                         int throws);                                 \
    FRAME PyObject *pvg_code_low_##VALUE(PyThreadState *thread, frame evaluated,      \
                                         int throws)                                  \
    {                                                                                 \
        PyObject *result = evaluate_as_ever(thread, evaluated, throws);               \
        STAY(0##VALUE);                                                               \
        return result;                                                                \
    }
#define HIGH(VALUE)                                                                   \
    FRAME PyObject *pvg_code_high_##VALUE(PyThreadState *thread, frame evaluated,     \
                                          int throws, inner_digit inner);             \
    FRAME PyObject *pvg_code_high_##VALUE(PyThreadState *thread, frame evaluated,     \
                                          int throws, inner_digit inner)              \
    {                                                                                 \
        PyObject *result = inner(thread, evaluated, throws);                          \
        STAY(0##VALUE);                                                               \
        return result;                                                                \
    }
#define LOW_NAME(VALUE) pvg_code_low_##VALUE,
#define HIGH_NAME(VALUE) pvg_code_high_##VALUE,

#define ALL(OF)                                                                       \
    SIXTY_FOUR(OF, 0) SIXTY_FOUR(OF, 1) SIXTY_FOUR(OF, 2) SIXTY_FOUR(OF, 3)

enum { DIGIT_VALUES = 256 };

ALL(LOW)
ALL(HIGH)
static const inner_digit low[DIGIT_VALUES] = {ALL(LOW_NAME)};
static const outer_digit high[DIGIT_VALUES] = {ALL(HIGH_NAME)};

/* Not part of the limited API. */
static PyInterpreterState *(*get_interpreter)(void);
static evaluator (*get_evaluator)(PyInterpreterState *);
static void (*set_evaluator)(PyInterpreterState *, evaluator);
static Py_ssize_t (*request_extra)(freefunc);
static int (*get_extra)(PyObject *, Py_ssize_t, void **);
static int (*set_extra)(PyObject *, Py_ssize_t, void *);
static PyObject *(*code_of_frame)(frame);

static PyTypeObject *code_type;
static Py_ssize_t extra = -1;

/* The file, shared so that it outlives the process. */
enum { ROOM = 1 << 24 };
static char *names;
static size_t used;
static uintptr_t count;
static pid_t owner;

/* In 3.11 a frame begins with a function and three dicts. */
static PyObject *
code_in_3_11(frame evaluated)
{
    enum { CODE = 4 };
    PyObject *code = ((PyObject **)evaluated)[CODE];
    Py_INCREF(code);
    return code;
}

static void
append(PyObject *code, const char *attribute, char end)
{
    PyObject *value = PyObject_GetAttrString(code, attribute);
    PyObject *text = value == NULL ? NULL : PyObject_Str(value);
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsUTF8String(text);
    if (bytes != NULL) {
        const char *name = PyBytes_AsString(bytes);
        size_t size = (size_t)PyBytes_Size(bytes);
        if (used + size + 1 < ROOM) {
            memcpy(names + used, name, size);
            used += size;
        }
    }
    PyErr_Clear();
    names[used++] = end;
    Py_XDECREF(value);
    Py_XDECREF(text);
    Py_XDECREF(bytes);
}

/* A forked child has the same file, and leaves it alone. */
static uintptr_t
number_new_function(PyObject *code)
{
    enum { LONGEST = 1 << 14 };
    if (getpid() != owner || count + 1 >= DIGIT_VALUES * DIGIT_VALUES
        || used + LONGEST > ROOM) {
        return 0;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int has_qualified_name = PyObject_HasAttrString(code, "co_qualname"); /* from 3.11 on */
    append(code, has_qualified_name ? "co_qualname" : "co_name", '\t');
    append(code, "co_filename", '\t');
    append(code, "co_firstlineno", '\n');
    PyErr_Restore(type, value, traceback);
    return ++count;
}

static PyObject *
evaluate(PyThreadState *thread, frame evaluated, int throws)
{
    uintptr_t number = 0;
    PyObject *code = code_of_frame(evaluated);
    if (Py_TYPE(code) == code_type) {
        void *known = NULL;
        get_extra(code, extra, &known);
        number = (uintptr_t)known;
        if (number == 0) {
            number = number_new_function(code);
            set_extra(code, extra, (void *)number);
        }
    }
    Py_DECREF(code);
    if (number == 0) {
        return evaluate_as_ever(thread, evaluated, throws);
    }
    return high[number / DIGIT_VALUES](thread, evaluated, throws, low[number % DIGIT_VALUES]);
}

static void *
either(const char *name, const char *older)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    return found == NULL ? dlsym(RTLD_DEFAULT, older) : found;
}

static int
find_symbols(void)
{
    *(void **)&get_interpreter = dlsym(RTLD_DEFAULT, "PyInterpreterState_Get");
    *(void **)&get_evaluator = dlsym(RTLD_DEFAULT, "_PyInterpreterState_GetEvalFrameFunc");
    *(void **)&set_evaluator = dlsym(RTLD_DEFAULT, "_PyInterpreterState_SetEvalFrameFunc");
    *(void **)&request_extra
        = either("PyUnstable_Eval_RequestCodeExtraIndex", "_PyEval_RequestCodeExtraIndex");
    *(void **)&get_extra = either("PyUnstable_Code_GetExtra", "_PyCode_GetExtra");
    *(void **)&set_extra = either("PyUnstable_Code_SetExtra", "_PyCode_SetExtra");
    long minor = pvg_minor_version();
    if (minor == 11) {
        code_of_frame = code_in_3_11;
    } else {
        /* Up to 3.10 it is an object. */
        *(void **)&code_of_frame = dlsym(
            RTLD_DEFAULT, minor < 11 ? "PyFrame_GetCode" : "PyUnstable_InterpreterFrame_GetCode");
    }
    code_type = pvg_attribute("types", "CodeType");
    PyErr_Clear();
    return get_interpreter != NULL && get_evaluator != NULL && set_evaluator != NULL
           && request_extra != NULL && get_extra != NULL && set_extra != NULL
           && code_of_frame != NULL && code_type != NULL;
}

static int
open_names(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, ROOM) < 0) {
        return -1;
    }
    void *mapped = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    names = mapped == MAP_FAILED ? NULL : mapped;
    owner = getpid();
    return names == NULL ? -1 : 1;
}

int
pvg_show_functions(const char *path)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    int result = find_symbols();
    if (result) {
        result = open_names(path);
    }
    if (result > 0) {
        PyInterpreterState *interpreter = get_interpreter();
        extra = request_extra(NULL);
        evaluate_as_ever = get_evaluator(interpreter);
        if (extra >= 0) {
            set_evaluator(interpreter, evaluate);
        }
    }
    PyGILState_Release(gil);
    return result;
}

void
pvg_hide_functions(void)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    if (evaluate_as_ever != NULL) {
        set_evaluator(get_interpreter(), evaluate_as_ever);
    }
    PyGILState_Release(gil);
}
