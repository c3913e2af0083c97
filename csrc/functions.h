/* Stack frames that say which Python function is being executed.

   The interpreter lets others evaluate its frames (PEP 523). Each function gets a
   number, and is evaluated below two C functions whose names say it, as tests
   run below theirs (frames.h). */
#ifndef PVG_FUNCTIONS_H
#define PVG_FUNCTIONS_H

/* Writes, for each function from number 1 on, a line with its name, file and first
   line, separated by tabs, into a file that is there even if the process dies.
   Returns 0 if this interpreter has no such frames, or -1 with errno. */
int pvg_show_functions(const char *path);
void pvg_hide_functions(void);

#endif
