/* What Python's limited API lacks. */
#ifndef PVG_CPYTHON_H
#define PVG_CPYTHON_H

/* 12 in Python 3.12. Call with the GIL, as the other. */
long pvg_minor_version(void);

/* An attribute of a module: a new reference, or NULL with a Python exception. */
void *pvg_attribute(const char *module, const char *name);

#endif
