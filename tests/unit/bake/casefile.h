/* Reads the cases of tests/bake/cases; their format is described in tests/bake/casefile.py. */
#ifndef VARVE_TESTS_CASEFILE_H
#define VARVE_TESTS_CASEFILE_H

#include <glib.h>

struct section {
    char *name;     /* "file" */
    char *argument; /* "docker-bake.hcl", "" when there is none */
    GString *text;
};

/* struct section*, in order; freed with g_ptr_array_unref(). */
GPtrArray *casefile_read(const char *path);
/* The first section of that name, or NULL. */
const struct section *casefile_section(GPtrArray *sections, const char *name);

#endif
