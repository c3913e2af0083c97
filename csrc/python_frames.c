#include <stddef.h>

#include "python_frames.h"

#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "cpython.h"
#include "heapcheck.h"

/* A generator ends with its frame, and that with its variables and stack: behind the type's basic
   size (PyGenObject, and _PyInterpreterFrame in pycore_frame.h). */
typedef struct {
    PyTypeObject *type;
    size_t basic_size;
} kind;

static kind kinds[3];
static const char *const names[] = {"GeneratorType", "CoroutineType", "AsyncGeneratorType"};

/* Words of a frame before its variables, 0 if generators have none in them. */
static size_t frame_words;
static int has_stack_pointer;

int
pvg_find_python_frames(void)
{
    long version = pvg_minor_version();
    frame_words = version < 11 ? 0 : version < 14 ? 9 : version == 14 ? 10 : 0;
    has_stack_pointer = version == 14;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        PyTypeObject *type = pvg_attribute("types", names[i]);
        PyObject *size
            = type == NULL ? NULL : PyObject_GetAttrString((PyObject *)type, "__basicsize__");
        if (size == NULL) {
            return -1;
        }
        kinds[i] = (kind){type, PyLong_AsSize_t(size)};
        Py_DECREF(size);
    }
    return 0;
}

/* The last of the bytes before the frame: gi_frame_state, an enum _framestate. What is being
   executed keeps where its stack ends elsewhere. */
enum { EXECUTING = 0, CLEARED = 4 };

static int
state_of(const uintptr_t *variables)
{
    return ((const int8_t *)(variables - frame_words))[-5];
}

/* How many words of the variables and the stack are in use; SIZE_MAX if that is not known: the
   frame calls a function of C. */
static size_t
words_up_to_top(const uintptr_t *variables)
{
    if (has_stack_pointer) {
        const uintptr_t *end = (const uintptr_t *)variables[-2];
        return end >= variables ? (size_t)(end - variables) : SIZE_MAX;
    }
    int top = (int)(uint32_t)variables[-1];
    return top >= 0 ? (size_t)top : SIZE_MAX;
}

static size_t
words_in_use(const uintptr_t *variables)
{
    int state = state_of(variables);
    if (state == CLEARED) {
        return 0;
    }
    return state >= EXECUTING ? SIZE_MAX : words_up_to_top(variables);
}

static void
forget_behind(uintptr_t *variables, size_t used, size_t words)
{
    if (used < words) {
        memset(variables + used, 0, (words - used) * sizeof *variables);
    }
}

static size_t
basic_size_of(PyObject *object)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (Py_TYPE(object) == kinds[i].type) {
            return kinds[i].basic_size;
        }
    }
    return 0;
}

void
pvg_forget_dead_variables(void *object)
{
    size_t basic_size = basic_size_of(object);
    if (frame_words == 0 || basic_size == 0) {
        return;
    }
    uintptr_t *variables = (uintptr_t *)(void *)((char *)object + basic_size);
    size_t used = words_in_use(variables);
    if (used == SIZE_MAX) {
        return;
    }
    PyObject *size = PyObject_CallMethod(object, "__sizeof__", NULL);
    size_t bytes = size == NULL ? 0 : PyLong_AsSize_t(size);
    Py_XDECREF(size);
    if (bytes == (size_t)-1 || bytes < basic_size) {
        PyErr_Clear();
        return;
    }
    forget_behind(variables, used, (bytes - basic_size) / sizeof *variables);
}

/* f_frame of a PyFrameObject, in words. */
enum { FRAME_OF_OBJECT = 3 };

void
pvg_forget_room_in_frame(void *frame, size_t variables, size_t words, size_t used)
{
    if (frame_words == 0) {
        return;
    }
    uintptr_t *start = ((uintptr_t **)frame)[FRAME_OF_OBJECT] + frame_words;
    size_t known = words_up_to_top(start);
    const pvh_engine *heap = pvg_heap();
    if (known != SIZE_MAX || used < words) {
        forget_behind(start, known != SIZE_MAX ? known : used, words);
    } else if (heap != NULL) {
        heap->take_weakly(start + variables, start + words);
    }
}
