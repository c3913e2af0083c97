#include "references.h"

#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "cpython.h"

/* From 3.14 on the upper half of the word is no count, and 3.12 marks what lives for ever by the
   highest bit of the lower half. No object of an earlier version has that many references. */
static int32_t
count_of(PyObject *object)
{
#ifdef Py_GIL_DISABLED
    return (int32_t)Py_REFCNT(object);
#else
    int32_t count;
    memcpy(&count, (char *)object + offsetof(PyObject, ob_refcnt), sizeof count);
    return count;
#endif
}

static Py_ssize_t
items_of(PyObject *object)
{
    if (PyList_CheckExact(object)) {
        return PyList_Size(object);
    }
    if (PyDict_CheckExact(object)) {
        return PyDict_Size(object);
    }
    return PyAnySet_CheckExact(object) ? PySet_Size(object) : 0;
}

long long
pvg_sum_references(void *objects)
{
    long long sum = 0;
    Py_ssize_t size = PyList_Size(objects);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *object = PyList_GetItem(objects, i);
        int32_t count = count_of(object);
        sum += (count > 0 ? count - 1 : 0) + items_of(object);
    }
    return sum;
}

/* What the collector has before each object: the places in a ring of all objects of a generation.
   Its lowest two bits are flags. */
typedef struct {
    uintptr_t next;
    uintptr_t previous;
} place;

enum {
    FLAGS = 3,
    /* The generations' own places, with no object behind them, stand within so many bytes: three
       generations, a pointer in some versions, and what is frozen. */
    GENERATIONS = 128,
    /* The last version whose collector was read. */
    NEWEST = 14,
    /* Places that are remembered, and how long before its turn one is asked for. */
    REMEMBERED = 1 << 18,
    AHEAD = 16
};

static PyObject *anchor;
static uintptr_t generations;

/* Of what is left out: it follows `gap`, and stands before the anchor. If the collector has looked
   at it since, it is in another order, and with it `canary`, which only `keeper` refers to. */
static PyObject *gap, *canary, *keeper;
static int has_gap;

/* The places of all objects as they followed each other the last time. No leak check shall take
   them for pointers. */
static const uintptr_t HIDE = ~(uintptr_t)0;
static uintptr_t *remembered;

static place *
next_of(const place *at)
{
    return (place *)(at->next & ~(uintptr_t)FLAGS);
}

static void
put_last(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    PyObject_GC_Track(object);
}

/* Returns 0 if there is no memory. The object that is tracked last stands at the end of the
   youngest generation, before that one's own place, and behind this are those of the others. */
static int
find_ring(void)
{
    size_t size = (REMEMBERED + AHEAD) * sizeof *remembered;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    anchor = PyList_New(0);
    gap = PyList_New(0);
    canary = PyList_New(0);
    keeper = PyList_New(0);
    if (memory == MAP_FAILED || anchor == NULL || gap == NULL || canary == NULL || keeper == NULL
        || PyList_Append(keeper, canary) < 0) {
        return 0;
    }
    Py_DECREF(canary);
    remembered = memory;
    put_last(anchor);
    generations = (uintptr_t)next_of((place *)anchor - 1);
    return 1;
}

/* Returns how many objects there are, with the anchor.

   Where the next object is known only once this one has been loaded, most of the time is spent
   waiting for memory. They are seldom others than the last time, so that they can be asked for
   ahead; a wrong address does no harm there. */
static long long
walk(long long *references, long long *items)
{
    long long count = 0;
    *references = *items = 0;
    const place *start = (place *)anchor - 1;
    const place *at = start;
    const place *stop = start;
    if (has_gap && next_of((place *)gap - 1) == (place *)canary - 1) {
        stop = (place *)gap - 1;
    }
    do {
        if ((uintptr_t)at - generations >= GENERATIONS) {
            if (count < REMEMBERED) {
                uintptr_t later = remembered[count + AHEAD] ^ HIDE;
                __builtin_prefetch((const char *)later);
                __builtin_prefetch((const char *)later + sizeof(place) + sizeof(PyObject));
                remembered[count] = (uintptr_t)at ^ HIDE;
            }
            PyObject *object = (PyObject *)(at + 1);
            int32_t counted = count_of(object);
            *references += counted > 0 ? counted : 0;
            *items += items_of(object);
            count++;
        }
        at = next_of(at);
    } while (at != stop);
    return count;
}

/* What gc.get_freeze_count() returns; -1 if that cannot be asked. */
static long long
count_frozen(void)
{
    PyObject *ask = pvg_attribute("gc", "get_freeze_count");
    PyObject *found = ask == NULL ? NULL : PyObject_CallObject(ask, NULL);
    long long count = found == NULL ? -1 : PyLong_AsLongLong(found);
    Py_XDECREF(ask);
    Py_XDECREF(found);
    PyErr_Clear();
    return count;
}

/* Freezes all objects, and returns whether they can be walked through. */
static int
is_ring(PyObject *freeze)
{
    static int is_known, is_usable;
#ifdef Py_GIL_DISABLED
    is_known = 1;
#endif
    if (!is_known) {
        is_usable = pvg_minor_version() <= NEWEST && find_ring();
    }
    PyObject *frozen = is_known && !is_usable ? NULL : PyObject_CallObject(freeze, NULL);
    Py_XDECREF(frozen);
    if (frozen == NULL) {
        PyErr_Clear();
        return 0;
    }
    if (!is_known) {
        long long references, items;
        is_known = 1;
        is_usable = is_usable && walk(&references, &items) == count_frozen();
    }
    return is_usable;
}

long long
pvg_sum_frozen_references(void *freeze)
{
    long long references, items;
    if (!is_ring(freeze)) {
        return -1;
    }
    walk(&references, &items);
    return references + items;
}

long long
pvg_sum_frozen_items(void *freeze)
{
    long long references, items;
    if (!is_ring(freeze)) {
        return -1;
    }
    walk(&references, &items);
    return items;
}

void
pvg_leave_out(void *objects, void *freeze)
{
    if (!is_ring(freeze)) {
        return;
    }
    put_last(gap);
    put_last(canary);
    Py_ssize_t size = PyList_Size(objects);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *object = PyList_GetItem(objects, i);
        if (PyObject_GC_IsTracked(object)) {
            put_last(object);
        }
    }
    put_last(keeper);
    put_last(anchor);
    has_gap = is_ring(freeze);
}
