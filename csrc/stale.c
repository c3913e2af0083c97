#include <stddef.h>

#include "stale.h"

#include <Python.h>
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "cpython.h"
#include "heapcheck.h"
#include "requests.h"

/* Not part of the limited API. */
static PyThreadState *(*first_thread)(PyInterpreterState *);
static PyThreadState *(*next_thread)(PyThreadState *);
static PyObject *(*get_code)(PyObject *);
static PyObject *(*current_frame)(PyThreadState *);
static PyTypeObject *function_type, *frame_type, *code_type;
static PyObject *callbacks;
static int keeps_frames;

int
pvg_find_stale_pointers(void)
{
    if (code_type != NULL) {
        return 0;
    }
    *(void **)&first_thread = dlsym(RTLD_DEFAULT, "PyInterpreterState_ThreadHead");
    *(void **)&next_thread = dlsym(RTLD_DEFAULT, "PyThreadState_Next");
    *(void **)&current_frame = dlsym(RTLD_DEFAULT, "PyThreadState_GetFrame");
    PyObject *version = PySys_GetObject("hexversion");
    *(void **)&get_code = dlsym(RTLD_DEFAULT, "PyFunction_GetCode");
    keeps_frames = version != NULL && PyLong_AsLong(version) >> 16 == 0x030A && get_code != NULL;
    function_type = pvg_attribute("types", "FunctionType");
    frame_type = pvg_attribute("types", "FrameType");
    code_type = pvg_attribute("types", "CodeType");
    callbacks = pvg_attribute("gc", "callbacks");
    int is_found = function_type != NULL && frame_type != NULL && code_type != NULL;
    return is_found && callbacks != NULL ? 0 : -1;
}

/* From 3.11 on frames lie in chunks (_PyStackChunk in cpython/pystate.h), of
   which a thread's state has the last, and the top and the end of that: three
   words in a row. The chunks before have their tops in themselves. */
typedef struct chunk {
    struct chunk *previous;
    size_t size, top;
    void *data[];
} chunk;

enum {
    MOST_WORDS = 256,     /* of a thread's state; it has 40 to 120 */
    SMALLEST = 16 * 1024, /* _PY_DATA_STACK_CHUNK_SIZE; others are twice as large, or more */
};

static int
is_stack(char *const words[3])
{
    const chunk *last = (const chunk *)(void *)words[0];
    return words[0] < words[1] && words[1] <= words[2] && pvg_is_readable(last, sizeof *last)
           && (size_t)(words[2] - words[0]) == last->size;
}

/* 3.14 keeps a chunk that is not used any more, as it is, for the next call
   that goes deep: datastack_cached_chunk, so many words behind datastack_chunk.
   In its first releases it does not, and another word stands there. */
enum { KEPT_CHUNK = 74 };

static chunk *
kept_chunk(char *const *stack)
{
    const chunk *const *word = (const chunk *const *)(void *)&stack[KEPT_CHUNK];
    if (pvg_minor_version() != 14 || !pvg_is_readable(word, sizeof *word)
        || !pvg_is_readable(*word, sizeof **word)) {
        return NULL;
    }
    size_t size = (*word)->size;
    int is_chunk = (*word)->previous == NULL && size >= SMALLEST && (size & (size - 1)) == 0;
    return is_chunk ? (chunk *)(void *)stack[KEPT_CHUNK] : NULL;
}

static void
forget_behind(chunk *each, char *top)
{
    memset(top, 0, (size_t)((char *)each + each->size - top));
}

static void
forget_dead_slots_of(char *const *stack)
{
    chunk *each = (chunk *)(void *)stack[0];
    forget_behind(each, stack[1]);
    while ((each = each->previous) != NULL) {
        forget_behind(each, (char *)&each->data[each->top]);
    }
    chunk *kept = kept_chunk(stack);
    if (kept != NULL) {
        forget_behind(kept, (char *)kept->data);
    }
}

void
pvg_forget_dead_slots(void)
{
    if (first_thread == NULL || next_thread == NULL) {
        return;
    }
    PyThreadState *state = first_thread(PyInterpreterState_Get());
    for (; state != NULL; state = next_thread(state)) {
        char *const *words = (char *const *)(void *)state;
        for (size_t i = 0; i < MOST_WORDS && pvg_is_readable(&words[i + 2], sizeof *words); i++) {
            if (is_stack(&words[i])) {
                forget_dead_slots_of(&words[i]);
                break;
            }
        }
    }
}

/* Up to 3.13 the free lists of lists, dicts and their tables are arrays, and
   what was taken from one is still named there. Tuples in free lists still name
   their items, and so do numbers in that of 3.14, where they are addresses: the
   keys by which a class knows its subclasses. */
void
pvg_forget_free_lists(void)
{
    enum { LENGTH = 80 }; /* PyList_MAXFREELIST and others */
    enum { LARGEST_TUPLE = 20, TUPLES = 40 };
    PyObject *tuples[LARGEST_TUPLE][TUPLES];
    for (int size = 0; size < LARGEST_TUPLE; size++) {
        for (int i = 0; i < TUPLES; i++) {
            tuples[size][i] = PyTuple_New(size);
        }
    }
    for (int size = 0; size < LARGEST_TUPLE; size++) {
        for (int i = 0; i < TUPLES; i++) {
            Py_XDECREF(tuples[size][i]);
        }
    }
    enum { NUMBERS = 200, LARGER_THAN_KEPT = 1 << 20 }; /* Py_ints_MAXFREELIST is 100 */
    PyObject *numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = PyLong_FromLong(LARGER_THAN_KEPT + i);
    }
    for (int i = 0; i < NUMBERS; i++) {
        Py_XDECREF(numbers[i]);
    }
    PyObject *lists[LENGTH], *dicts[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        lists[i] = PyList_New(0);
        dicts[i] = PyDict_New();
        if (dicts[i] != NULL) {
            PyDict_SetItemString(dicts[i], "key", Py_None);
        }
    }
    for (int i = 0; i < LENGTH; i++) {
        Py_XDECREF(lists[i]);
        Py_XDECREF(dicts[i]);
    }
}

/* 3.10 keeps the frame of a function that has returned with its code, for the
   next call, and does not clear the places of its stack (frame_dealloc in
   frameobject.c). Places in PyCodeObject and PyFrameObject, in words: */
enum { CODE_CONSTANTS = 7, CODE_FRAME = 16, VAR_SIZE = 2, FRAME_SLOTS = 44 };

/* Of all others it keeps 200 for later calls, which only a collection frees; when nothing is
   tracked any more it does no more than that. Nobody is to be told. */
void
pvg_free_kept_frames(void)
{
    if (keeps_frames) {
        Py_ssize_t *count = &((Py_ssize_t *)callbacks)[VAR_SIZE];
        Py_ssize_t told = *count;
        *count = 0;
        PyGC_Enable();
        PyGC_Collect();
        PyGC_Disable();
        *count = told;
    }
}

static void
forget_frame_of(PyObject *code)
{
    PyObject *const *words = (PyObject *const *)code;
    PyObject *frame = words[CODE_FRAME];
    if (frame != NULL && Py_TYPE(frame) == frame_type) {
        size_t slots = (size_t)((Py_ssize_t *)frame)[VAR_SIZE];
        memset((void **)frame + FRAME_SLOTS, 0, slots * sizeof(void *));
    }
    PyObject *constants = words[CODE_CONSTANTS];
    Py_ssize_t count = PyTuple_Check(constants) ? PyTuple_Size(constants) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *constant = PyTuple_GetItem(constants, i);
        if (Py_TYPE(constant) == code_type) {
            forget_frame_of(constant);
        }
    }
}

/* A frame that waits, or that a traceback keeps, names behind its stack what it has taken from it.
   While it is executed the depth is -1. Places in PyFrameObject, in words: */
enum { FRAME_BACK = 3, FRAME_STACK = 8, FRAME_DEPTH = 10 };

static void
forget_room_in_stack(PyObject *frame)
{
    void **words = (void **)frame;
    void **end = words + FRAME_SLOTS + ((Py_ssize_t *)frame)[VAR_SIZE];
    void **stack = words[FRAME_STACK];
    int depth = *(int *)&words[FRAME_DEPTH];
    if (stack != NULL && depth >= 0 && stack + depth < end) {
        memset(stack + depth, 0, (size_t)((char *)end - (char *)(stack + depth)));
    }
}

/* Where the stack of a frame ends that is being executed is known to nobody. Between tests it holds
   nothing of them. */
void
pvg_take_stacks_weakly(void)
{
    const pvh_engine *heap = pvg_heap();
    PyObject *frame = keeps_frames && heap != NULL && current_frame != NULL
        ? current_frame(PyThreadState_Get()) : NULL;
    for (; frame != NULL; frame = ((PyObject **)frame)[FRAME_BACK]) {
        void **words = (void **)frame;
        void *end = words + FRAME_SLOTS + ((Py_ssize_t *)frame)[VAR_SIZE];
        heap->take_weakly(words[FRAME_STACK], end);
    }
}

void
pvg_forget_dead_places(void *object)
{
    if (keeps_frames && Py_TYPE((PyObject *)object) == function_type) {
        forget_frame_of(get_code(object));
    } else if (keeps_frames && Py_TYPE((PyObject *)object) == frame_type) {
        forget_room_in_stack(object);
    }
}

/* Between the items of a list and the end of its memory is what was popped.
   Places in PyListObject, in words: */
enum { LIST_ITEMS = 3, LIST_ALLOCATED = 4 };

void
pvg_forget_room_in_list(void *object)
{
    if (PyList_CheckExact((PyObject *)object)) {
        void **items = ((void ***)object)[LIST_ITEMS];
        Py_ssize_t size = ((Py_ssize_t *)object)[VAR_SIZE];
        Py_ssize_t allocated = ((Py_ssize_t *)object)[LIST_ALLOCATED];
        if (items != NULL && allocated > size) {
            memset(items + size, 0, (size_t)(allocated - size) * sizeof *items);
        }
    }
}

/* Of PyDictObject, in words; and of the interpreter's state, at most. */
enum { DICT_VERSION = 3, INTERPRETER_WORDS = 1 << 17 };

static uint64_t
change(PyObject *dict)
{
    PyDict_SetItemString(dict, "key", Py_None);
    PyDict_DelItemString(dict, "key");
    return ((uint64_t *)dict)[DICT_VERSION];
}

int
pvg_move_dict_versions(void)
{
    static const uint64_t NO_ADDRESS = (uint64_t)1 << 56;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *dict = pvg_minor_version() == 12 ? PyDict_New() : NULL;
    int is_done = dict == NULL;
    if (dict != NULL) {
        uint64_t version = change(dict);
        uint64_t *words = (uint64_t *)PyInterpreterState_Get();
        for (size_t i = 0; i < INTERPRETER_WORDS && pvg_is_readable(&words[i], 8); i++) {
            if (words[i] == version) {
                words[i] += NO_ADDRESS;
                is_done = change(dict) > NO_ADDRESS;
                if (is_done) {
                    break;
                }
                words[i] = version;
            }
        }
    }
    Py_XDECREF(dict);
    PyErr_Clear();
    PyGILState_Release(gil);
    return is_done;
}
