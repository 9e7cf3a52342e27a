/* Image references (grammar of the distribution project's reference package), with Docker's short
 * names: "node:20" is "docker.io/library/node:20". */
#ifndef VARVE_TEXT_REFERENCE_H
#define VARVE_TEXT_REFERENCE_H

#include <glib.h>

struct reference {
    char *domain; /* "docker.io", "localhost:5000", "[::1]:5000" */
    char *path;   /* "library/node", never empty */
    char *tag;    /* NULL when there is none */
    char *digest; /* "sha256:<hex>" or another algorithm, NULL when there is none */
};

/* Parses every legal form and normalises it: a missing domain becomes docker.io, docker.io's
 * one-word paths get "library/", and without a tag or digest the tag is "latest".
 * VARVE_ERROR_INVALID, with the text and the reason in the message, otherwise. */
struct reference *reference_parse(const char *text, GError **err);
void reference_free(struct reference *r);
/* "docker.io/library/node:20@sha256:…". */
char *reference_text(const struct reference *r);
/* Without tag and digest: "docker.io/library/node". */
char *reference_repository(const struct reference *r);
/* The short form: "node:20" (docker.io and library/ left out, the tag kept).
 */
char *reference_familiar(const struct reference *r);

typedef struct reference reference;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(reference, reference_free)

#endif
