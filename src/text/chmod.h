/* File modes as --chmod takes them: octal ("755", "0644", up to 7777) or symbolic ("u=rwX,go=rX",
 * "+x", "g=u", "a+rwxt"). The symbolic ones are those of BSD's setmode(3), as in BuildKit, with no
 * umask: a clause without u, g, o or a applies to all; X depends on whether the file had an x
 * before the first clause; the sticky bit is only changed by a t, and not by one for o; copying a
 * class (g=u) does not change set-id bits. */
#ifndef VARVE_TEXT_CHMOD_H
#define VARVE_TEXT_CHMOD_H

#include <glib.h>

#define CHMOD_MAX_CLAUSES 32

/* One "who op what" step. */
struct chmod_clause {
    guint32 who;      /* mask of the bits it may change: 04700, 02070, 0007 or a union, and 01000 */
    char op;          /* '+', '-' or '=' */
    guint32 perms;    /* bits to apply, replicated for all three classes */
    char copy;        /* 'u', 'g' or 'o': take the bits of that class instead; 0: no */
    gboolean exec_if; /* 'X': x only for directories and files that had an x */
};

/* A parsed mode; a plain value. */
struct chmod {
    gboolean octal; /* then only mode counts */
    guint32 mode;   /* octal: 0..07777 */
    guint n;        /* symbolic: clauses in order */
    struct chmod_clause clauses[CHMOD_MAX_CLAUSES]; /* the first n are set */ /* in their order */
};

/* VARVE_ERROR_INVALID, with the text in the message, when malformed. */
gboolean chmod_parse(struct chmod *c, const char *text, GError **err);
/* The new permission bits (07777) of a file or directory that has mode. */
guint32 chmod_apply(const struct chmod *c, guint32 mode, gboolean is_dir);

#endif
