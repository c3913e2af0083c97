#include "heap_child_python.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "heap_child.h"

/* None of it is there in a program without Python. */
typedef struct object object;
typedef object *function(object *self, object *arguments);
typedef struct {
    const char *name;
    function *function;
    int flags;
    const char *documentation;
} method;
enum { METH_NOARGS = 4 };

#pragma GCC visibility push(default)
#pragma weak Py_IsInitialized
#pragma weak Py_AddPendingCall
#pragma weak Py_BuildValue
#pragma weak Py_DecRef
#pragma weak PyCFunction_NewEx
#pragma weak PyErr_Clear
#pragma weak PyEval_GetFrame
#pragma weak PyFrame_GetCode
#pragma weak PyGILState_Check
#pragma weak PyImport_ImportModule
#pragma weak PyObject_Call
#pragma weak PyObject_CallMethod
#pragma weak PyObject_GetAttrString
#pragma weak PyUnicode_AsUTF8AndSize
extern int Py_IsInitialized(void);
extern int Py_AddPendingCall(int (*call)(void *), void *argument);
extern object *Py_BuildValue(const char *format, ...);
extern void Py_DecRef(object *);
extern object *PyCFunction_NewEx(method *definition, object *self, object *module);
extern void PyErr_Clear(void);
extern object *PyEval_GetFrame(void);
extern object *PyFrame_GetCode(object *frame);
extern int PyGILState_Check(void);
extern object *PyImport_ImportModule(const char *name);
extern object *PyObject_Call(object *callable, object *arguments, object *keywords);
extern object *PyObject_CallMethod(object *, const char *name, const char *format, ...);
extern object *PyObject_GetAttrString(object *, const char *name);
extern const char *PyUnicode_AsUTF8AndSize(object *, intptr_t *size);
#pragma GCC visibility pop

int pvh_waits_for_python;

int
pvh_has_python(void)
{
    return Py_IsInitialized != NULL && Py_AddPendingCall != NULL && PyGILState_Check != NULL;
}

int
pvh_wait_for_python(void)
{
    pvh_waits_for_python = pvh_has_python();
    return pvh_waits_for_python;
}

static object *
at_exit(object *self, object *arguments)
{
    (void)self, (void)arguments;
    pvh_end_child(1);
    return Py_BuildValue("");
}

static object *
after_fork(object *self, object *arguments)
{
    (void)self, (void)arguments;
    pvh_begin_fork();
    return Py_BuildValue("");
}

static method on_exit_method = {"end_child", at_exit, METH_NOARGS, NULL};
static method on_fork_method = {"begin_fork", after_fork, METH_NOARGS, NULL};

/* Whatever is NULL, as there is no memory for it, the rest is not done. */
static void
register_both(void)
{
    object *exits = PyCFunction_NewEx(&on_exit_method, NULL, NULL);
    object *forks = PyCFunction_NewEx(&on_fork_method, NULL, NULL);
    object *at_exits = PyImport_ImportModule("atexit");
    object *system = PyImport_ImportModule("posix");
    object *registers = system ? PyObject_GetAttrString(system, "register_at_fork") : NULL;
    object *nothing = Py_BuildValue("()");
    object *keywords = forks ? Py_BuildValue("{s:O}", "after_in_child", forks) : NULL;
    object *result = NULL, *other = NULL;
    if (exits && at_exits) {
        result = PyObject_CallMethod(at_exits, "register", "O", exits);
    }
    if (registers && nothing && keywords) {
        other = PyObject_Call(registers, nothing, keywords);
    }
    object *made[] = {exits, forks, at_exits, system, registers, nothing, keywords, result, other};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        Py_DecRef(made[i]);
    }
    if (result == NULL || other == NULL) {
        PyErr_Clear();
    }
}

/* Before 3.12 an import amid the locks of another one's module ends that with a KeyError
   (CPython's issue 91351). */
static int
is_importing(void)
{
    object *frame = PyEval_GetFrame();
    object *code = frame ? PyFrame_GetCode(frame) : NULL;
    object *file = code ? PyObject_GetAttrString(code, "co_filename") : NULL;
    const char *name = file ? PyUnicode_AsUTF8AndSize(file, NULL) : NULL;
    int is_so = name == NULL || strstr(name, "importlib") != NULL;
    Py_DecRef(file);
    Py_DecRef(code);
    PyErr_Clear();
    return is_so;
}

/* In the main thread, between two instructions of Python. */
static int
begin(void *unused)
{
    (void)unused;
    if (is_importing()) {
        pvh_waits_for_python = 1;
        return 0;
    }
    register_both();
    pvh_begin_python();
    return 0;
}

void
pvh_look_for_python(void)
{
    if (Py_IsInitialized() && __atomic_exchange_n(&pvh_waits_for_python, 0, __ATOMIC_ACQ_REL)
        && Py_AddPendingCall(begin, NULL) < 0) {
        pvh_waits_for_python = 1;
    }
}

int
pvh_check_python(int is_ending)
{
    if (!Py_IsInitialized() || !PyGILState_Check()) {
        return 0;
    }
    object *module = PyImport_ImportModule("pytest_valgrind.children.check_of_child");
    object *done = module ? PyObject_CallMethod(module, "report", "i", is_ending) : NULL;
    if (done == NULL) {
        PyErr_Clear();
    }
    Py_DecRef(done);
    Py_DecRef(module);
    return done != NULL;
}
