#include "collector.h"

#include <Python.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#include "cpython.h"
#include "deques.h"
#include "python_frames.h"
#include "stale.h"

/* Looked up before there is a clone, in which another thread may seem to hold
   the lock of imports for ever. */
static PyObject *unfreeze;
static PyObject *get_objects;
static PyTypeObject *function_type;
static PyObject *weak_types[3];
static const char *const weak_names[] = {"ref", "ProxyType", "CallableProxyType"};

/* Not part of the limited API. */
static PyObject *(*get_defaults)(PyObject *);
static int (*set_defaults)(PyObject *, PyObject *);

/* Places in PyTypeObject, in words, from 3.10 to 3.14 (Include/cpython/object.h). */
enum { TYPE_BASES = 42, TYPE_SUBCLASSES = 45 };
/* Whether they are these here: in a free-threaded build, for one, they are not. */
static int knows_types;

static void
find_places_of_types(void)
{
    PyObject *type = (PyObject *)&PyType_Type;
    PyObject *bases = PyObject_GetAttrString(type, "__bases__");
    knows_types = bases != NULL && ((PyObject **)(void *)type)[TYPE_BASES] == bases;
    Py_XDECREF(bases);
}

int
pvg_find_collector(void)
{
    if (get_objects != NULL) {
        return 0;
    }
    if (pvg_find_stale_pointers() < 0 || pvg_find_python_frames() < 0 || pvg_find_deques() < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof weak_types / sizeof *weak_types; i++) {
        weak_types[i] = pvg_attribute("weakref", weak_names[i]);
        if (weak_types[i] == NULL) {
            return -1;
        }
    }
    *(void **)&get_defaults = dlsym(RTLD_DEFAULT, "PyFunction_GetDefaults");
    *(void **)&set_defaults = dlsym(RTLD_DEFAULT, "PyFunction_SetDefaults");
    find_places_of_types();
    function_type = pvg_attribute("types", "FunctionType");
    unfreeze = pvg_attribute("gc", "unfreeze");
    if (function_type == NULL || unfreeze == NULL) {
        return -1;
    }
    get_objects = pvg_attribute("gc", "get_objects");
    return get_objects == NULL ? -1 : 0;
}

static int
is_weak_reference(PyObject *object)
{
    for (size_t i = 0; i < sizeof weak_types / sizeof *weak_types; i++) {
        if (PyType_IsSubtype(Py_TYPE(object), (PyTypeObject *)weak_types[i])) {
            return 1;
        }
    }
    return 0;
}

/* A weak reference begins with the address of its object, which memcheck takes
   for a pointer like any other. */
static PyObject **
object_of(PyObject *weak_reference)
{
    return (PyObject **)((char *)weak_reference + sizeof(PyObject));
}

/* A class knows its subclasses by a dict from their addresses to weak
   references, and the hash of such a key is the address. */
static int
is_of_subclasses(PyObject *object)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    return PyDict_CheckExact(object) && PyDict_Next(object, &position, &key, &value)
           && PyLong_CheckExact(key) && is_weak_reference(value)
           && PyLong_AsVoidPtr(key) == *object_of(value);
}

static PyObject *kept;

static void
forget_subclasses(PyObject *dictionary)
{
    PyObject *keys = PyDict_Keys(dictionary);
    for (Py_ssize_t i = 0; keys != NULL && i < PyList_Size(keys); i++) {
        PyObject *key = PyList_GetItem(keys, i);
        /* The class still knows the weak reference, unless that was cleared. */
        PyList_Append(kept, PyDict_GetItem(dictionary, key));
        /* One by one: the table of a dict that is cleared may be kept as it is. */
        PyDict_DelItem(dictionary, key);
    }
    /* 3.10 leaves the hashes. */
    PyDict_Clear(dictionary);
    Py_XDECREF(keys);
}

/* What is frozen is not listed: neither is the dict of a frozen class, which a new one is in. */
static void
forget_subclass(PyObject *type)
{
    PyObject *bases = ((PyObject **)(void *)type)[TYPE_BASES];
    for (Py_ssize_t i = 0; bases != NULL && i < PyTuple_Size(bases); i++) {
        PyObject *base = PyTuple_GetItem(bases, i);
        PyObject *subclasses = ((PyObject **)(void *)base)[TYPE_SUBCLASSES];
        /* From 3.12 on a class of the interpreter's own has a number there. */
        enum { LARGEST_NUMBER = 4096 };
        if ((uintptr_t)subclasses > LARGEST_NUMBER && is_of_subclasses(subclasses)) {
            forget_subclasses(subclasses);
        }
    }
}

/* From 3.13 on the interpreter knows functions by the versions that they have
   until they are changed (func_version_cache), and classes by theirs
   (type_version_cache), without a reference of its own. */
static void
forget_version(PyObject *object)
{
    if (PyType_Check(object)) {
        PyType_Modified((PyTypeObject *)object);
    } else if (Py_TYPE(object) == function_type && get_defaults != NULL
               && set_defaults != NULL) {
        PyObject *defaults = get_defaults(object);
        set_defaults(object, defaults == NULL ? Py_None : defaults);
    }
}

/* Weak references and their objects, as no pointers that memcheck knows. */
typedef struct {
    uintptr_t weak_reference;
    uintptr_t object;
} blinded;

static const uintptr_t HIDE = ~(uintptr_t)0;
static blinded *blind;
static size_t blind_count;

static void
blind_weak_reference(PyObject *weak_reference)
{
    PyObject **object = object_of(weak_reference);
    blind[blind_count].weak_reference = (uintptr_t)weak_reference ^ HIDE;
    blind[blind_count].object = (uintptr_t)*object ^ HIDE;
    blind_count++;
    *object = Py_None;
}

void
pvg_restore_weakrefs(void)
{
    for (size_t i = 0; i < blind_count; i++) {
        PyObject *weak_reference = (PyObject *)(blind[i].weak_reference ^ HIDE);
        *object_of(weak_reference) = (PyObject *)(blind[i].object ^ HIDE);
    }
    blind_count = 0;
}

void
pvg_untrack(int which)
{
    if (which == PVG_UNTRACKS_NOTHING) {
        return;
    }
    /* What it would find is found by others: no finaliser is to run here. */
    PyGC_Disable();
    /* It has attributes of classes without a reference of its own. */
    PyType_ClearCache();
    /* What is frozen is not listed. */
    int takes_all = which != PVG_UNTRACKS_WHAT_IS_NOT_FROZEN;
    PyObject *done = takes_all ? PyObject_CallObject(unfreeze, NULL) : NULL;
    PyObject *objects = PyObject_CallObject(get_objects, NULL);
    kept = PyList_New(0);
    if (objects != NULL && kept != NULL) {
        Py_ssize_t count = PyList_Size(objects);
        for (Py_ssize_t i = 0; i < count; i++) {
            PyObject *object = PyList_GetItem(objects, i);
            forget_version(object);
            pvg_forget_dead_places(object);
            pvg_forget_room_in_list(object);
            pvg_forget_room_in_deque(object);
            pvg_forget_dead_variables(object);
        }
        count = which == PVG_UNTRACKS_NOTHING_AND_FORGETS || count < 0 ? 0 : count;
        for (Py_ssize_t i = 0; i < count; i++) {
            PyObject *object = PyList_GetItem(objects, i);
            if (is_of_subclasses(object)) {
                forget_subclasses(object);
            } else if (!takes_all && knows_types && PyType_Check(object)) {
                forget_subclass(object);
            }
        }
        blind = calloc((size_t)count, sizeof *blind);
        for (Py_ssize_t i = 0; i < count; i++) {
            PyObject *object = PyList_GetItem(objects, i);
            PyObject_GC_UnTrack(object);
            if (blind != NULL && is_weak_reference(object)) {
                blind_weak_reference(object);
            }
        }
    }
    Py_XDECREF(done);
    /* The list would keep all of them in sight; none of them dies with it. */
    Py_XDECREF(objects);
    pvg_free_kept_frames();
    pvg_forget_free_lists();
    pvg_forget_blocks_of_deques();
    pvg_forget_dead_slots();
    pvg_take_stacks_weakly();
    PyErr_Clear();
}
