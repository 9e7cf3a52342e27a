#include "image/jsonwalk.h"

#include "base/error.h"
#include "image/jsonin.h"

#include <string.h>

#define MAX_VALUE (1024 * 1024) /* bytes */
#define MAX_KEY 64              /* bytes; longer ones are nobody's */

struct walk {
    const char *at, *end;
    const char *what;
    jsonwalk_visit visit;
    gpointer ctx;
};

static gboolean bad_json(const struct walk *w, const char *why, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "cannot read the %s: %s", w->what, why);
}

/* The next character that is no blank, which stays; 0 at the end. */
static char peek_char(struct walk *w)
{
    while (w->at < w->end && strchr(" \t\r\n", *w->at) && *w->at)
        w->at++;
    return w->at < w->end ? *w->at : 0;
}

static gboolean take_char(struct walk *w, char c)
{
    if (peek_char(w) != c)
        return FALSE;
    w->at++;
    return TRUE;
}

/* Passes over a value, whatever is in it. */
static void pass_value(struct walk *w)
{
    guint depth = 0;
    gboolean quoted = FALSE;
    for (; w->at < w->end; w->at++) {
        char c = *w->at;
        if (quoted && c == '\\')
            w->at += w->at + 1 < w->end;
        else if (c == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return;
        else if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
    }
}

static gboolean visit_value(struct walk *w, const char *key, GError **err)
{
    const char *from = w->at;
    pass_value(w);
    gsize len = (gsize)(w->at - from);
    if (len > MAX_VALUE)
        return bad_json(w, "a value in it is too large", err);
    json_t *value = jsonin_value(from, len, w->what, err);
    gboolean ok = value && w->visit(w->ctx, key, value, err);
    json_decref(value);
    return ok;
}

static gboolean visit_items(struct walk *w, const char *key, GError **err)
{
    if (take_char(w, ']'))
        return TRUE;
    do {
        peek_char(w);
        if (!visit_value(w, key, err))
            return FALSE;
    } while (take_char(w, ','));
    return take_char(w, ']') || bad_json(w, "a list in it does not end", err);
}

static gboolean visit_member(struct walk *w, GError **err)
{
    char key[MAX_KEY + 1];
    if (!take_char(w, '"'))
        return bad_json(w, "it is not a JSON object", err);
    const char *from = w->at, *end = memchr(from, '"', (gsize)(w->end - from));
    if (!end || end - from > MAX_KEY)
        return bad_json(w, "it has a member with too long a name", err);
    memcpy(key, from, (gsize)(end - from));
    key[end - from] = 0;
    w->at = end + 1;
    if (!take_char(w, ':'))
        return bad_json(w, "it is not a JSON object", err);
    peek_char(w);
    return take_char(w, '[') ? visit_items(w, key, err) : visit_value(w, key, err);
}

gboolean jsonwalk(const void *bytes, gsize len, const char *what, jsonwalk_visit visit,
                  gpointer ctx, GError **err)
{
    struct walk w = {bytes, (const char *)bytes + len, what, visit, ctx};
    if (!take_char(&w, '{'))
        return bad_json(&w, "it is not a JSON object", err);
    if (take_char(&w, '}'))
        return peek_char(&w) == 0 || bad_json(&w, "something follows its end", err);
    do {
        if (!visit_member(&w, err))
            return FALSE;
    } while (take_char(&w, ','));
    if (!take_char(&w, '}'))
        return bad_json(&w, "it is cut short", err);
    return w.at == w.end || peek_char(&w) == 0 || bad_json(&w, "something follows its end", err);
}
