#include "registry/challenge.h"

#include <string.h>

#define MAX_BYTES 16384
#define MAX_PARAMS 64

struct cursor {
    const char *p, *end;
};

void challenge_clear(struct challenge *c)
{
    g_free(c->realm);
    g_free(c->service);
    g_free(c->scope);
    g_free(c->error);
    memset(c, 0, sizeof *c);
}

static gboolean token_char(char c)
{
    return g_ascii_isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip(struct cursor *c, const char *set)
{
    while (c->p < c->end && *c->p && strchr(set, *c->p))
        c->p++;
}

/* A token, newly allocated, or NULL. */
static char *take_token(struct cursor *c)
{
    const char *start = c->p;
    while (c->p < c->end && token_char(*c->p))
        c->p++;
    return c->p > start ? g_strndup(start, c->p - start) : NULL;
}

/* A quoted string without its quotes and escapes; NULL when it does not end. */
static char *take_quoted(struct cursor *c)
{
    g_autoptr(GString) s = g_string_new(NULL);
    for (c->p++; c->p < c->end; c->p++) {
        if (*c->p == '"') {
            c->p++;
            return g_string_free(g_steal_pointer(&s), FALSE);
        }
        if (*c->p == '\\' && c->p + 1 < c->end)
            c->p++;
        if ((guchar)*c->p < ' ' || *c->p == 0x7f)
            return NULL;
        g_string_append_c(s, *c->p);
    }
    return NULL;
}

static void set_once(char **field, char *value)
{
    if (*field)
        g_free(value);
    else
        *field = value;
}

static void keep_param(struct challenge *out, const char *name, char *value)
{
    if (g_ascii_strcasecmp(name, "realm") == 0)
        set_once(&out->realm, value);
    else if (g_ascii_strcasecmp(name, "service") == 0)
        set_once(&out->service, value);
    else if (g_ascii_strcasecmp(name, "scope") == 0)
        set_once(&out->scope, value);
    else if (g_ascii_strcasecmp(name, "error") == 0)
        set_once(&out->error, value);
    else
        g_free(value);
}

/* One "name=value"; FALSE (cursor unmoved) where there is none, as at the next scheme's name. */
static gboolean take_param(struct cursor *c, struct challenge *out)
{
    struct cursor at = *c;
    g_autofree char *name = take_token(&at);
    skip(&at, " \t");
    if (!name || at.p >= at.end || *at.p != '=')
        return FALSE;
    at.p++;
    skip(&at, " \t");
    char *value = at.p < at.end && *at.p == '"' ? take_quoted(&at) : take_token(&at);
    if (!value)
        return FALSE;
    keep_param(out, name, value);
    *c = at;
    return TRUE;
}

/* One scheme and its parameters; FALSE at the end and at what cannot be read. */
static gboolean take_challenge(struct cursor *c, struct challenge *out)
{
    skip(c, " \t,="); /* "=": the rest of a token68 */
    g_autofree char *scheme = take_token(c);
    if (!scheme)
        return FALSE;
    if (g_ascii_strcasecmp(scheme, "Bearer") == 0)
        out->scheme = CHALLENGE_BEARER;
    else if (g_ascii_strcasecmp(scheme, "Basic") == 0)
        out->scheme = CHALLENGE_BASIC;
    for (guint i = 0; i < MAX_PARAMS; i++) {
        skip(c, " \t,");
        if (!take_param(c, out))
            break;
    }
    return TRUE;
}

void challenge_merge(struct challenge *out, const char *bytes, gsize len)
{
    struct cursor c = {bytes, bytes + MIN(len, MAX_BYTES)};
    for (guint i = 0; i < MAX_PARAMS; i++) {
        g_auto(challenge) one = {0};
        if (!take_challenge(&c, &one))
            break;
        if (one.scheme <= out->scheme)
            continue;
        challenge_clear(out);
        *out = one;
        memset(&one, 0, sizeof one);
    }
}

void challenge_parse(struct challenge *out, const char *bytes, gsize len)
{
    memset(out, 0, sizeof *out);
    challenge_merge(out, bytes, len);
}
