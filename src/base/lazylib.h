/* A shared library that is loaded at its first use, because most runs of varve never need it and
 * the relocation of every linked library slows each start (libcurl brings 26 further libraries,
 * libarchive ICU and the C++ runtime).
 *
 * A user lists the functions it needs once, as an X-macro. From it LAZYLIB_POINTER makes the
 * members of a struct of function pointers, and LAZYLIB_SYMBOL the table to fill it:
 *
 *     #define FOO_API(X, api) X(api, foo_open, open) X(api, foo_close, close)
 *     struct foo_api { FOO_API(LAZYLIB_POINTER, ) };
 *     static const struct lazylib_symbol SYMBOLS[] = {FOO_API(LAZYLIB_SYMBOL, struct foo_api)};
 */
#ifndef VARVE_BASE_LAZYLIB_H
#define VARVE_BASE_LAZYLIB_H

#include <glib.h>
#include <stddef.h>

#define LAZYLIB_POINTER(api, function, name) __typeof__(function) *name;
#define LAZYLIB_SYMBOL(api, function, name) {#function, offsetof(api, name)},

struct lazylib_symbol {
    const char *name; /* of the function in the library */
    gsize offset;     /* of its pointer in the struct of functions */
};

struct lazylib {
    const char *file;                     /* the soname, "libcurl.so.4" */
    const char *needed_for;               /* for messages: "all network access" */
    const char *package;                  /* what to install, for messages */
    const struct lazylib_symbol *symbols; /* n of them */
    gsize n;                              /* of symbols */
    void *api;            /* the struct of functions; filled when lazylib_load() is TRUE */
    char *(*start)(void); /* called once after loading, or NULL: a problem in words, or NULL */
    gsize once;           /* state of lazylib_load(): 0 at first */
    char *problem;        /* why it cannot be used, or NULL; valid after lazylib_load() */
};

/* Loads the library at the first call; thread-safe. FALSE with VARVE_ERROR_FAILED if it cannot be
 * used, with the same message at every call. */
gboolean lazylib_load(struct lazylib *l, GError **err);

#endif
