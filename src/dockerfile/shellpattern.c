#include "dockerfile/shellpattern.h"

#include "base/error.h"
#include "dockerfile/expand.h"

#include <string.h>

struct shellpattern {
    GPtrArray *chunks; /* GString*: what stands between stars; a 0 byte is a "?". At least one. */
};

static void free_chunk(gpointer p)
{
    g_string_free(p, TRUE);
}

void shellpattern_free(struct shellpattern *p)
{
    if (!p)
        return;
    g_ptr_array_unref(p->chunks);
    g_free(p);
}

/* Reads what follows a '\'. Returns FALSE when it cannot be escaped. */
static gboolean read_escape(const char **s, GString *chunk)
{
    char c = **s;
    if (c == '\0' || !strchr("*?\\}/", c))
        return FALSE;
    g_string_append_c(chunk, c);
    (*s)++;
    return TRUE;
}

struct shellpattern *shellpattern_new(const char *text, GError **err)
{
    if (strlen(text) > EXPAND_MAX_PATTERN) {
        error_set(err, VARVE_ERROR_INVALID, "the pattern in a substitution is longer than %d bytes",
                  EXPAND_MAX_PATTERN);
        return NULL;
    }
    g_autoptr(shellpattern) p = g_new0(struct shellpattern, 1);
    p->chunks = g_ptr_array_new_with_free_func(free_chunk);
    GString *chunk = g_string_new(NULL);
    g_ptr_array_add(p->chunks, chunk);
    for (const char *s = text; *s;) {
        char c = *s++;
        if (c == '*') {
            chunk = g_string_new(NULL);
            g_ptr_array_add(p->chunks, chunk);
        } else if (c == '\\') {
            if (!read_escape(&s, chunk)) {
                error_set(err, VARVE_ERROR_INVALID,
                          "invalid pattern (%s) in substitution: invalid escape '\\%c'", text,
                          *s ? *s : ' ');
                return NULL;
            }
        } else {
            g_string_append_c(chunk, c == '?' ? '\0' : c);
        }
    }
    return g_steal_pointer(&p);
}

static gsize char_len(const char *s, const char *end)
{
    return MIN((gsize)g_utf8_skip[(guchar)*s], (gsize)(end - s));
}

/* End of a match of chunk that starts exactly at s, or NULL. */
static const char *match_at(const GString *chunk, const char *s, const char *end)
{
    for (gsize i = 0; i < chunk->len; i++) {
        if (s == end)
            return NULL;
        if (chunk->str[i] == '\0')
            s += char_len(s, end);
        else if (*s++ != chunk->str[i])
            return NULL;
    }
    return s;
}

/* First place at or behind s where chunk matches: its start, and its end in *stop; NULL when none.
 */
static const char *find_first(const GString *chunk, const char *s, const char *end,
                              const char **stop)
{
    for (;; s += char_len(s, end)) {
        *stop = match_at(chunk, s, end);
        if (*stop)
            return s;
        if (s == end)
            return NULL;
    }
}

/* Last place at or behind s where chunk matches: its end, or NULL. */
static const char *find_last(const GString *chunk, const char *s, const char *end)
{
    for (const char *at = end;; at--) {
        const char *stop =
            ((guchar)*at & 0xc0) == 0x80 && at != end ? NULL : match_at(chunk, at, end);
        if (stop)
            return stop;
        if (at == s)
            return NULL;
    }
}

/* End of the shortest or longest match of the chunks behind the first, which ended at s. Taking
 * each chunk's first place leaves the most room for those that follow. */
static const char *match_rest(const struct shellpattern *p, const char *s, const char *end,
                              gboolean longest)
{
    guint n = p->chunks->len;
    for (guint i = 1; i < n; i++) {
        const GString *chunk = g_ptr_array_index(p->chunks, i);
        if (i == n - 1 && longest)
            return find_last(chunk, s, end);
        if (!find_first(chunk, s, end, &s))
            return NULL;
    }
    return s;
}

gssize shellpattern_prefix(const struct shellpattern *p, const char *value, gboolean longest)
{
    const char *end = value + strlen(value);
    const char *s = match_at(g_ptr_array_index(p->chunks, 0), value, end);
    s = s ? match_rest(p, s, end, longest) : NULL;
    return s ? s - value : -1;
}

/* Last place whose match of chunk ends exactly at or before limit: its start, or NULL. */
static const char *find_last_start(const GString *chunk, const char *value, const char *limit,
                                   gboolean exact)
{
    for (const char *at = limit;; at--) {
        const char *stop =
            at != limit && ((guchar)*at & 0xc0) == 0x80 ? NULL : match_at(chunk, at, limit);
        if (stop && (!exact || stop == limit))
            return at;
        if (at == value)
            return NULL;
    }
}

/* First place at or behind value where chunk matches and ends at or before limit. */
static const char *find_first_start(const GString *chunk, const char *value, const char *limit)
{
    const char *stop;
    return find_first(chunk, value, limit, &stop);
}

gssize shellpattern_suffix(const struct shellpattern *p, const char *value, gboolean longest)
{
    const char *limit = value + strlen(value);
    for (guint i = p->chunks->len; i-- > 0;) {
        const GString *chunk = g_ptr_array_index(p->chunks, i);
        gboolean exact = i == p->chunks->len - 1;
        if (i == 0 && longest && !exact)
            limit = find_first_start(chunk, value, limit);
        else
            limit = find_last_start(chunk, value, limit, exact);
        if (!limit)
            return -1;
    }
    return limit - value;
}

gboolean shellpattern_find(const struct shellpattern *p, const char *value, gsize from,
                           gsize *start, gsize *end)
{
    const char *limit = value + strlen(value), *stop;
    const char *at = find_first(g_ptr_array_index(p->chunks, 0), value + from, limit, &stop);
    if (!at)
        return FALSE;
    stop = match_rest(p, stop, limit, TRUE);
    if (!stop)
        return FALSE;
    *start = at - value;
    *end = stop - value;
    return TRUE;
}
