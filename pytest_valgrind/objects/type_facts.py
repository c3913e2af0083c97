"""What a type says of itself, read past its metaclass, which may run any code."""

from __future__ import annotations

# Of a type's flags (Include/object.h): Py_TPFLAGS_HEAPTYPE and Py_TPFLAGS_HAVE_GC.
HEAP_TYPE = 1 << 9
HAVE_GC = 1 << 14
module_of = vars(type)["__module__"].__get__
name_of = vars(type)["__qualname__"].__get__
flags_of = vars(type)["__flags__"].__get__
dict_of = vars(type)["__dict__"].__get__


def type_name(kind: type) -> str:
    """Return the name of a type, with its module unless it is built in."""
    module, name = module_of(kind), name_of(kind)
    return name if module == "builtins" or type(module) is not str else f"{module}.{name}"


def is_class(thing: object) -> bool:
    """Whether an object is a class, whatever it says itself."""
    return issubclass(type(thing), type)
