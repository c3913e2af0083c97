/* An extension module with a planted defect in every function, for tests/suites/planted.

   Each defect has a function of its own, and each place has a size of its own for its blocks, so
   that reports can be told apart. */

/* `make lint` defines it, for csrc; that of 3.10 has no buffers. */
#undef Py_LIMITED_API
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#define METHOD(name) static PyObject *name(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(unused))

/* C++'s operator delete. */
extern void _ZdlPv(void *block);

/* Keeps the compiler from seeing what is wrong. */
static void *volatile hidden;
static volatile size_t minus_one = (size_t)-1;
static volatile size_t eight = 8;
static volatile char sink;

/* Nothing is planted here. */
METHOD(nothing)
{
    hidden = calloc(8, 1);
    sink = *(volatile char *)hidden;
    free(hidden);
    Py_RETURN_NONE;
}

/* Errors. */

METHOD(read_past_end)
{
    hidden = malloc(8);
    sink = ((volatile char *)hidden)[8];
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(write_past_end)
{
    hidden = malloc(8);
    ((volatile char *)hidden)[8] = 1;
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(read_freed)
{
    hidden = malloc(8);
    volatile char *block = hidden;
    free(hidden);
    sink = block[1];
    Py_RETURN_NONE;
}

METHOD(write_freed)
{
    hidden = malloc(8);
    volatile char *block = hidden;
    free(hidden);
    block[1] = 1;
    Py_RETURN_NONE;
}

METHOD(compare_past_end)
{
    hidden = malloc(8);
    memset(hidden, 'a', 8);
    sink = (char)strncmp(hidden, "aaaaaaaa without an end", eight + 1);
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(read_freed_object)
{
    PyObject *object = PyBytes_FromString("an object");
    if (object == NULL) {
        return NULL;
    }
    hidden = object;
    Py_DECREF(object);
    sink = (char)*(volatile Py_ssize_t *)hidden;
    Py_RETURN_NONE;
}

METHOD(write_past_bytes)
{
    PyObject *object = PyBytes_FromString("an object");
    if (object == NULL) {
        return NULL;
    }
    hidden = PyBytes_AsString(object);
    ((volatile char *)hidden)[strlen(hidden) + 1] = 1;
    Py_DECREF(object);
    Py_RETURN_NONE;
}

METHOD(free_not_allocated)
{
    static char block[8];
    hidden = block;
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(free_inside)
{
    hidden = malloc(8);
    char *block = hidden;
    hidden = block + 4;
    free(hidden);
    free(block);
    Py_RETURN_NONE;
}

METHOD(free_twice)
{
    hidden = malloc(8);
    void *again = hidden;
    free(hidden);
    hidden = again;
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(free_mismatched)
{
    hidden = malloc(8);
    _ZdlPv(hidden);
    Py_RETURN_NONE;
}

METHOD(decide_uninitialised)
{
    hidden = malloc(8);
    if (((volatile char *)hidden)[3]) {
        sink = 1;
    }
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(index_by_uninitialised)
{
    static volatile char table[8];
    hidden = malloc(8);
    sink = table[((volatile unsigned char *)hidden)[3] & 7];
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(make_int_of_uninitialised)
{
    hidden = malloc(8);
    long value = *(volatile long *)hidden;
    free(hidden);
    return PyLong_FromLong(value);
}

#define WRITE_OUT(block)                                                                           \
    do {                                                                                           \
        int file = open("/dev/null", O_WRONLY);                                                    \
        if (file >= 0) {                                                                           \
            sink = (char)write(file, block, 8);                                                    \
            close(file);                                                                           \
        }                                                                                          \
    } while (0)

METHOD(write_out_uninitialised)
{
    hidden = malloc(8);
    WRITE_OUT(hidden);
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(write_out_freed)
{
    hidden = calloc(8, 1);
    void *block = hidden;
    free(hidden);
    WRITE_OUT(block);
    Py_RETURN_NONE;
}

METHOD(mempcpy_overlapping)
{
    hidden = calloc(16, 1);
    sink = *(char *)mempcpy((char *)hidden + 4, hidden, eight);
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(strcpy_overlapping)
{
    hidden = calloc(16, 1);
    memset(hidden, 'a', eight);
    strcpy(hidden, (char *)hidden + 2);
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(malloc_fishy)
{
    hidden = malloc(minus_one);
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(check_uninitialised)
{
    hidden = malloc(8);
    sink = (char)VALGRIND_CHECK_MEM_IS_DEFINED(hidden, 8);
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(check_freed)
{
    hidden = malloc(8);
    void *block = hidden;
    free(hidden);
    sink = (char)VALGRIND_CHECK_MEM_IS_ADDRESSABLE(block, 8);
    Py_RETURN_NONE;
}

METHOD(use_no_pool)
{
    static char pool;
    hidden = malloc(8);
    VALGRIND_MEMPOOL_ALLOC(&pool, hidden, 8);
    free(hidden);
    Py_RETURN_NONE;
}

/* Leaks. */

METHOD(lose_block)
{
    hidden = malloc(10);
    hidden = NULL;
    Py_RETURN_NONE;
}

METHOD(lose_moved)
{
    hidden = malloc(10);
    hidden = realloc(hidden, 3000);
    hidden = NULL;
    Py_RETURN_NONE;
}

METHOD(lose_chain)
{
    void **next = NULL;
    for (int length = 0; length < 3; length++) {
        void **link = calloc(1, 32);
        link[0] = next;
        next = link;
    }
    hidden = next;
    hidden = NULL;
    Py_RETURN_NONE;
}

METHOD(lose_ring)
{
    void **one = calloc(1, 48);
    void **other = calloc(1, 48);
    one[0] = other;
    other[0] = one;
    hidden = other;
    hidden = NULL;
    Py_RETURN_NONE;
}

METHOD(lose_mem)
{
    hidden = PyMem_Malloc(11);
    hidden = NULL;
    Py_RETURN_NONE;
}

METHOD(lose_raw_mem)
{
    hidden = PyMem_RawMalloc(12);
    hidden = NULL;
    Py_RETURN_NONE;
}

#define LOSES_OBJECT(name, made)                                                                   \
    METHOD(name)                                                                                   \
    {                                                                                              \
        hidden = made;                                                                             \
        if (hidden == NULL) {                                                                      \
            return NULL;                                                                           \
        }                                                                                          \
        hidden = NULL;                                                                             \
        Py_RETURN_NONE;                                                                            \
    }

LOSES_OBJECT(lose_str, PyUnicode_FromString("a string of its own"))
LOSES_OBJECT(lose_bytes, PyBytes_FromString("bytes of their own"))
LOSES_OBJECT(lose_int, PyLong_FromString("1234567890123456789012345678901234567890", NULL, 10))
LOSES_OBJECT(lose_tuple, Py_BuildValue("ids", 1000, 0.1, "a string in a tuple"))
LOSES_OBJECT(lose_tuple_after_collection, Py_BuildValue("is", 1000, "a string in a tuple"))
LOSES_OBJECT(lose_bytearray, PyByteArray_FromStringAndSize("an array", 8))

static PyObject *thing;

LOSES_OBJECT(lose_thing, PyObject_CallObject(thing, NULL))

/* A buffer that is not released holds a reference to its owner. */
METHOD(lose_buffer)
{
    PyObject *array = PyByteArray_FromStringAndSize("a buffer", 8);
    if (array == NULL) {
        return NULL;
    }
    Py_buffer buffer;
    int failed = PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE);
    Py_DECREF(array);
    hidden = NULL;
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* A reference too many: the object is never freed. */
static PyObject *
keep_reference(PyObject *Py_UNUSED(self), PyObject *object)
{
    Py_INCREF(object);
    Py_RETURN_NONE;
}

/* What memcheck cannot see, or not everywhere. */

/* All that is left is a pointer into it. */
static void *volatile inside;

METHOD(lose_start)
{
    inside = (char *)calloc(1, 64) + 24;
    Py_RETURN_NONE;
}

/* The garbage collector has it on its list. */
LOSES_OBJECT(lose_list, Py_BuildValue("[ii]", 1000, 1001))

METHOD(memcpy_overlapping)
{
    hidden = calloc(16, 1);
    memcpy((char *)hidden + 4, hidden, eight);
    free(hidden);
    Py_RETURN_NONE;
}

METHOD(read_past_array)
{
    volatile char array[8] = {0};
    sink = array[eight];
    Py_RETURN_NONE;
}

/* With PYTHONMALLOC=malloc there is but one allocator. */
METHOD(free_other_domain)
{
    hidden = PyMem_Malloc(8);
    free(hidden);
    Py_RETURN_NONE;
}

/* Nothing is decided upon it here. */
METHOD(make_float_of_uninitialised)
{
    hidden = malloc(8);
    double value = *(volatile double *)hidden;
    free(hidden);
    return PyFloat_FromDouble(value);
}

/* Places: what is wrong is always the same, and the function says where it is called. */

#define READ(size)                                                                                 \
    do {                                                                                           \
        hidden = malloc(size);                                                                     \
        sink = ((volatile char *)hidden)[size];                                                    \
        free(hidden);                                                                              \
    } while (0)
#define LOSE(size)                                                                                 \
    do {                                                                                           \
        hidden = malloc(size);                                                                     \
        hidden = NULL;                                                                             \
    } while (0)

#define AT(place, size)                                                                            \
    METHOD(read_##place)                                                                           \
    {                                                                                              \
        READ(size);                                                                                \
        Py_RETURN_NONE;                                                                            \
    }                                                                                              \
    METHOD(lose_##place)                                                                           \
    {                                                                                              \
        LOSE(size);                                                                                \
        Py_RETURN_NONE;                                                                            \
    }

AT(in_setup, 101)
AT(in_teardown, 102)
AT(in_setup_of_module, 103)
AT(in_teardown_of_module, 104)
AT(in_python_thread, 105)
AT(in_finaliser, 106)
AT(at_import, 107)
AT(in_set_up, 108)
AT(in_tear_down, 109)
AT(in_subprocess, 110)
AT(in_fork, 111)
AT(in_doctest, 112)
AT(again, 113)
AT(in_loop, 114)
AT(everywhere, 115)

#define IN_THREAD(name, work)                                                                      \
    static void *name(void *unused)                                                                \
    {                                                                                              \
        work;                                                                                      \
        return unused;                                                                             \
    }                                                                                              \
    METHOD(start_##name)                                                                           \
    {                                                                                              \
        pthread_t thread;                                                                          \
        if (pthread_create(&thread, NULL, name, NULL) == 0) {                                      \
            pthread_join(thread, NULL);                                                            \
        }                                                                                          \
        Py_RETURN_NONE;                                                                            \
    }

IN_THREAD(read_in_thread, READ(116))
IN_THREAD(lose_in_thread, LOSE(116))

#define IN_DEALLOC(name, work)                                                                     \
    static void name(PyObject *self)                                                               \
    {                                                                                              \
        PyTypeObject *type = Py_TYPE(self);                                                        \
        work;                                                                                      \
        ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);                                        \
        Py_DECREF(type);                                                                           \
    }

IN_DEALLOC(read_in_dealloc, READ(117))
IN_DEALLOC(lose_in_dealloc, LOSE(117))

/* A block that a fixture takes, */
static void *volatile kept;

METHOD(keep)
{
    kept = malloc(118);
    Py_RETURN_NONE;
}

/* and loses in the end. */
METHOD(lose_kept)
{
    kept = NULL;
    Py_RETURN_NONE;
}

#define ENTRY(name) {#name, name, METH_NOARGS, NULL}
#define ENTRIES(place) ENTRY(read_##place), ENTRY(lose_##place)

static PyMethodDef methods[] = {
    ENTRY(nothing),
    ENTRY(read_past_end),
    ENTRY(write_past_end),
    ENTRY(read_freed),
    ENTRY(write_freed),
    ENTRY(compare_past_end),
    ENTRY(read_freed_object),
    ENTRY(write_past_bytes),
    ENTRY(free_not_allocated),
    ENTRY(free_inside),
    ENTRY(free_twice),
    ENTRY(free_mismatched),
    ENTRY(decide_uninitialised),
    ENTRY(index_by_uninitialised),
    ENTRY(make_int_of_uninitialised),
    ENTRY(write_out_uninitialised),
    ENTRY(write_out_freed),
    ENTRY(mempcpy_overlapping),
    ENTRY(strcpy_overlapping),
    ENTRY(malloc_fishy),
    ENTRY(check_uninitialised),
    ENTRY(check_freed),
    ENTRY(use_no_pool),
    ENTRY(lose_block),
    ENTRY(lose_moved),
    ENTRY(lose_chain),
    ENTRY(lose_ring),
    ENTRY(lose_mem),
    ENTRY(lose_raw_mem),
    ENTRY(lose_str),
    ENTRY(lose_bytes),
    ENTRY(lose_int),
    ENTRY(lose_tuple),
    ENTRY(lose_tuple_after_collection),
    ENTRY(lose_bytearray),
    ENTRY(lose_thing),
    ENTRY(lose_buffer),
    {"keep_reference", keep_reference, METH_O, NULL},
    ENTRY(lose_start),
    ENTRY(lose_list),
    ENTRY(memcpy_overlapping),
    ENTRY(read_past_array),
    ENTRY(free_other_domain),
    ENTRY(make_float_of_uninitialised),
    ENTRIES(in_setup),
    ENTRIES(in_teardown),
    ENTRIES(in_setup_of_module),
    ENTRIES(in_teardown_of_module),
    ENTRIES(in_python_thread),
    ENTRIES(in_finaliser),
    ENTRIES(at_import),
    ENTRIES(in_set_up),
    ENTRIES(in_tear_down),
    ENTRIES(in_subprocess),
    ENTRIES(in_fork),
    ENTRIES(in_doctest),
    ENTRIES(again),
    ENTRIES(in_loop),
    ENTRIES(everywhere),
    ENTRY(start_read_in_thread),
    ENTRY(start_lose_in_thread),
    ENTRY(keep),
    ENTRY(lose_kept),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "flaws", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

/* Make a type, and put it into the module; NULL is an error. */
static PyObject *
add_type(PyObject *to, const char *name, destructor dealloc)
{
    PyType_Slot slots[] = {{dealloc ? Py_tp_dealloc : 0, (void *)dealloc}, {0, NULL}};
    PyType_Spec spec = {name, sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyObject *type = PyType_FromSpec(&spec);
    if (type == NULL) {
        return NULL;
    }
    Py_INCREF(type);
    if (PyModule_AddObject(to, strchr(name, '.') + 1, type) < 0) {
        Py_DECREF(type);
        Py_CLEAR(type);
    }
    return type;
}

PyMODINIT_FUNC
PyInit_flaws(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL) {
        return NULL;
    }
    thing = add_type(made, "flaws.Thing", NULL);
    if (thing == NULL || add_type(made, "flaws.ReadsInDealloc", read_in_dealloc) == NULL ||
        add_type(made, "flaws.LosesInDealloc", lose_in_dealloc) == NULL) {
        Py_CLEAR(made);
    }
    return made;
}
