/* WWW-Authenticate challenges (RFC 9110, 11.6.1; the distribution project's token specification).
 * Parses hostile bytes. */
#ifndef VARVE_REGISTRY_CHALLENGE_H
#define VARVE_REGISTRY_CHALLENGE_H

#include <glib.h>

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
    /* the best of those offered: Bearer, then Basic; NONE: nothing known */
    enum challenge_scheme scheme;
    char *realm;   /* Bearer: URL of the token server, as sent; Basic: a text; or NULL */
    char *service; /* Bearer: or NULL */
    char *scope;   /* Bearer: blank-separated scopes, or NULL */
    char *error;   /* Bearer: "invalid_token", "insufficient_scope"…, or NULL */
};

/* Parses the value of one header field, which may have several challenges; a malformed value ends
 * parsing and keeps what came before. Reads at most 16 KiB and 64 parameters. Never fails: scheme
 * NONE means that nothing was found. */
void challenge_parse(struct challenge *out, const char *bytes, gsize len);
/* Parses another header field of the same answer; a better scheme replaces the one in out. */
void challenge_merge(struct challenge *out, const char *bytes, gsize len);
void challenge_clear(struct challenge *c);

typedef struct challenge challenge;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(challenge, challenge_clear)

#endif
