#include "ended_threads.h"

#include <Python.h>
#include <stdint.h>
#include <time.h>

#include "heapcheck.h"

/* How many threads of tests Python does not know: they end, or C has started them. */
static size_t
count_unknown(const pvh_engine *heap)
{
    enum { MOST = 256 };
    static uintptr_t ids[MOST];
    size_t count = heap->list_threads(ids, MOST), unknown = 0;
    PyObject *function = count == 0 ? NULL : PySys_GetObject("_current_frames");
    PyObject *frames = function == NULL ? NULL : PyObject_CallObject(function, NULL);
    for (size_t i = 0; frames != NULL && i < count; i++) {
        PyObject *id = PyLong_FromSize_t(ids[i]);
        unknown += id != NULL && PyDict_Contains(frames, id) == 0;
        Py_XDECREF(id);
    }
    Py_XDECREF(frames);
    PyErr_Clear();
    return unknown;
}

void
pvg_wait_for_ended_threads(void)
{
    /* Python says that a thread has been joined when it has nothing to do with it any more: then it
       has some microseconds to go, if the kernel lets it. */
    enum { MOST_NAPS = 50 };
    static const struct timespec NAP = {.tv_nsec = 1000 * 1000};
    /* Those that C has started stay. */
    static size_t staying;
    const pvh_engine *heap = pvg_heap();
    size_t unknown = heap == NULL ? 0 : count_unknown(heap);
    for (int naps = 0; unknown > staying && naps < MOST_NAPS; naps++) {
        Py_BEGIN_ALLOW_THREADS;
        nanosleep(&NAP, NULL);
        Py_END_ALLOW_THREADS;
        unknown = count_unknown(heap);
    }
    staying = unknown;
}
