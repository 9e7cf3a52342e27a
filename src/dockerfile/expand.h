/* Substitution of variables and removal of quotes in the words of a Dockerfile, with the rules of
 * BuildKit's shell lexer:
 *
 *     $v  ${v}  ${v:-w}  ${v-w}  ${v:+w}  ${v+w}  ${v:?m}  ${v?m}
 *     ${v#p}  ${v##p}  ${v%p}  ${v%%p}  ${v/p/r}  ${v//p/r}
 *
 * Single quotes keep everything literal, double quotes all but '$' and the escape character. */
#ifndef VARVE_DOCKERFILE_EXPAND_H
#define VARVE_DOCKERFILE_EXPAND_H

#include <glib.h>

#define EXPAND_MAX_WORD (1024 * 1024)      /* default limit of a result, bytes */
#define EXPAND_MAX_TEXT (32 * 1024 * 1024) /* for the contents of heredocs */
#define EXPAND_MAX_DEPTH 64                /* ${a:-${b:-…}} */
#define EXPAND_MAX_PATTERN 1024            /* bytes of a pattern in #, %, / */

/* The value of a variable, borrowed until the next call, or NULL when it is unset. */
typedef const char *(*expand_lookup_fn)(gpointer ctx, const char *name);

struct expand {
    expand_lookup_fn lookup; /* NULL: nothing is set */
    gpointer ctx;            /* for lookup */
    char escape;             /* '\\' or '`' */
    gboolean raw_quotes;     /* keep quotes in the result */
    gboolean raw_escapes;    /* keep escape characters in the result */
    gboolean ignore_quotes;  /* quotes are ordinary characters (contents of heredocs) */
    gboolean heredocs;       /* "<<" and white space after it do not end a word */
    gboolean keep_unset;     /* leave references to unset variables as they are */
    gsize max;               /* limit of the result in bytes; 0: EXPAND_MAX_WORD */
    GHashTable *used;        /* char* set that gets the names looked up and found, or NULL */
    GHashTable *unset; /* char* set that gets the names looked up and not found, or NULL; except in
                          ${v-w}, ${v+w}, ${v?w}, which handle unset variables */
};

/* A set for used and unset: g_hash_table with owned keys. */
GHashTable *expand_names_new(void);

/* The word with substitutions made, as one word. NULL with VARVE_ERROR_INVALID if malformed, too
 * deep or too large, or if ${v:?message} fails. */
char *expand_word(const struct expand *x, const char *word, GError **err);
/* Likewise, split at unquoted white space after substitution (that of substituted values included);
 * empty words are dropped. NULL-terminated, newly allocated. */
char **expand_words(const struct expand *x, const char *text, GError **err);

#endif
