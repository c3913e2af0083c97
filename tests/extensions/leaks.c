/* An extension module with a leak in every function, none of which is like another. */

#undef Py_LIMITED_API
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SIZE 100

/* Keeps the compiler from leaving out what nothing uses. */
static void *volatile lost;

#define FUNCTION(name) static PyObject *name(PyObject *self, PyObject *argument)
#define UNUSED (void)self, (void)argument

/* Return None, and have a pointer be the only one, which the next call overwrites. */
static PyObject *
lose(void *pointer)
{
    lost = pointer;
    lost = NULL;
    Py_RETURN_NONE;
}

/* Memory. */

FUNCTION(lose_malloc)
{
    UNUSED;
    return lose(malloc(SIZE));
}

FUNCTION(lose_mem_block)
{
    UNUSED;
    return lose(PyMem_Malloc(SIZE));
}

FUNCTION(lose_object_block)
{
    UNUSED;
    return lose(PyObject_Malloc(SIZE));
}

FUNCTION(grow_block)
{
    UNUSED;
    static char *block;
    static size_t size;
    block = realloc(block, size += SIZE);
    Py_RETURN_NONE;
}

FUNCTION(grow_list_of_nodes)
{
    UNUSED;
    static struct node {
        struct node *next;
        char payload[SIZE];
    } *first;
    struct node *node = malloc(sizeof(*node));
    if (node != NULL) {
        node->next = first;
        first = node;
    }
    Py_RETURN_NONE;
}

FUNCTION(lose_block_upon_error)
{
    UNUSED;
    lost = malloc(SIZE);
    PyErr_SetString(PyExc_ValueError, "not today");
    return NULL;
}

FUNCTION(lose_expression)
{
    UNUSED;
    regex_t expression;
    if (regcomp(&expression, "a.*b", 0)) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

FUNCTION(lose_map)
{
    UNUSED;
    return lose(mmap(NULL, 1 << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

FUNCTION(lose_map_of_file)
{
    UNUSED;
    int file = open("/proc/self/exe", O_RDONLY);
    lost = mmap(NULL, 1 << 14, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    return lose(lost);
}

/* Descriptors, and threads. */

FUNCTION(lose_descriptor)
{
    UNUSED;
    return PyLong_FromLong(open("/dev/null", O_RDONLY));
}

FUNCTION(lose_stream)
{
    UNUSED;
    return lose(fopen("/dev/null", "r"));
}

static void *
wait_for_ever(void *argument)
{
    pause();
    return argument;
}

FUNCTION(lose_thread)
{
    UNUSED;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 16);
    if (pthread_create(&thread, &attributes, wait_for_ever, NULL)) {
        return PyErr_NoMemory();
    }
    pthread_attr_destroy(&attributes);
    Py_RETURN_NONE;
}

/* References to objects that are there all the time. */

FUNCTION(lose_reference)
{
    UNUSED;
    Py_INCREF(argument);
    Py_RETURN_NONE;
}

FUNCTION(own_what_is_borrowed)
{
    UNUSED;
    PyObject *item = PyList_GetItem(argument, 0);
    Py_XINCREF(item);
    Py_RETURN_NONE;
}

FUNCTION(lose_attribute)
{
    UNUSED;
    return lose(PyObject_GetAttrString(argument, "attribute"));
}

FUNCTION(lose_module)
{
    UNUSED;
    return lose(PyImport_ImportModule("colorsys"));
}

FUNCTION(keep_in_array)
{
    UNUSED;
    static PyObject *items[1 << 20];
    static size_t count;
    if (count < sizeof(items) / sizeof(*items)) {
        Py_INCREF(argument);
        items[count++] = argument;
    }
    Py_RETURN_NONE;
}

FUNCTION(keep_buffer)
{
    UNUSED;
    Py_buffer buffer;
    if (PyObject_GetBuffer(argument, &buffer, PyBUF_SIMPLE)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* New objects. */

FUNCTION(lose_list)
{
    UNUSED;
    return lose(PyList_New(0));
}

FUNCTION(lose_dict)
{
    UNUSED;
    return lose(Py_BuildValue("{s:i}", "key", 1000));
}

FUNCTION(lose_tuple)
{
    UNUSED;
    return lose(Py_BuildValue("(ii)", 1000, 1001));
}

FUNCTION(lose_text)
{
    UNUSED;
    return lose(PyUnicode_FromString("a text that is lost"));
}

FUNCTION(lose_integer)
{
    UNUSED;
    return lose(PyLong_FromLong(1000000));
}

/* A type with a reference that its dealloc forgets, and that the collector does not see. */
typedef struct {
    PyObject_HEAD
    PyObject *held;
} Holder;

static int
holder_init(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    (void)keywords;
    ((Holder *)self)->held = PySequence_List(arguments);
    return ((Holder *)self)->held == NULL ? -1 : 0;
}

static PyType_Slot holder_slots[] = {{Py_tp_init, (void *)holder_init}, {0, NULL}};
static PyType_Spec holder_spec = {
    "leaks.Holder", sizeof(Holder), 0, Py_TPFLAGS_DEFAULT, holder_slots,
};

#define METHOD(name) {#name, name, METH_NOARGS, NULL}
#define METHOD_OF_ONE(name) {#name, name, METH_O, NULL}

static PyMethodDef methods[] = {
    METHOD(lose_malloc),
    METHOD(lose_mem_block),
    METHOD(lose_object_block),
    METHOD(grow_block),
    METHOD(grow_list_of_nodes),
    METHOD(lose_block_upon_error),
    METHOD(lose_expression),
    METHOD(lose_map),
    METHOD(lose_map_of_file),
    METHOD(lose_descriptor),
    METHOD(lose_stream),
    METHOD(lose_thread),
    METHOD_OF_ONE(lose_reference),
    METHOD_OF_ONE(own_what_is_borrowed),
    METHOD_OF_ONE(lose_attribute),
    METHOD(lose_module),
    METHOD_OF_ONE(keep_in_array),
    METHOD_OF_ONE(keep_buffer),
    METHOD(lose_list),
    METHOD(lose_dict),
    METHOD(lose_tuple),
    METHOD(lose_text),
    METHOD(lose_integer),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "leaks", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit_leaks(void)
{
    PyObject *made = PyModule_Create(&module);
    PyObject *type = made == NULL ? NULL : PyType_FromSpec(&holder_spec);
    if (type == NULL || PyModule_AddObject(made, "Holder", type) < 0) {
        Py_XDECREF(type);
        Py_CLEAR(made);
    }
    return made;
}
