#include <stddef.h>

#include "deques.h"

#include <Python.h>
#include <string.h>

#include "cpython.h"

static PyTypeObject *deque_type;
static int has_blocks;

int
pvg_find_deques(void)
{
    /* In 3.10 blocks that are kept for later are those of all deques. */
    has_blocks = pvg_minor_version() > 10;
    deque_type = pvg_attribute("collections", "deque");
    return deque_type == NULL ? -1 : 0;
}

/* In _collectionsmodule.c. */
enum { PLACES = 64, MOST_BLOCKS = 16 };

typedef struct {
    void *left;
    void *items[PLACES];
    void *right;
} block;

typedef struct {
    PyVarObject head;
    block *leftmost, *rightmost;
    Py_ssize_t first, last; /* places in these */
    size_t state;
    Py_ssize_t most;
    Py_ssize_t block_count; /* from 3.11 on, as what follows */
    block *blocks[MOST_BLOCKS];
} deque;

static void
forget(block *each, Py_ssize_t from, Py_ssize_t to)
{
    if (0 <= from && from < to && to <= PLACES) {
        memset(each->items + from, 0, (size_t)(to - from) * sizeof *each->items);
    }
}

void
pvg_forget_room_in_deque(void *object)
{
    if (!PyType_IsSubtype(Py_TYPE((PyObject *)object), deque_type)) {
        return;
    }
    deque *each = object;
    if (each->leftmost == NULL) {
        return;
    }
    forget(each->leftmost, 0, each->first);
    forget(each->rightmost, each->last + 1, PLACES);
    for (Py_ssize_t i = 0; has_blocks && i < each->block_count && i < MOST_BLOCKS; i++) {
        forget(each->blocks[i], 0, PLACES);
    }
}

/* A deque takes them all. */
void
pvg_forget_blocks_of_deques(void)
{
    PyObject *items = has_blocks ? NULL : PyTuple_New((MOST_BLOCKS + 1) * PLACES);
    for (Py_ssize_t i = 0; items != NULL && i < (MOST_BLOCKS + 1) * PLACES; i++) {
        Py_INCREF(Py_None);
        PyTuple_SetItem(items, i, Py_None);
    }
    if (items != NULL) {
        Py_XDECREF(PyObject_CallFunctionObjArgs((PyObject *)deque_type, items, NULL));
        Py_DECREF(items);
    }
}
