#include "text/ignore.h"

#include "base/error.h"
#include "base/path.h"
#include "text/glob.h"
#include "text/space.h"

struct rule {
    gboolean negated;  /* '!': re-includes */
    guint line;        /* in its file, from 1; 0: it is of a list */
    struct glob *glob; /* the rest */
};

struct ignore {
    GArray *rules;   /* struct rule, in order */
    gboolean saves;  /* one of them is negated */
    GPtrArray *text; /* char*, cleaned, NULL-terminated */
};

static void clear_rule(gpointer p)
{
    glob_free(((struct rule *)p)->glob);
}

static struct ignore *new_empty(void)
{
    struct ignore *ig = g_new0(struct ignore, 1);
    ig->rules = g_array_new(FALSE, FALSE, sizeof(struct rule));
    g_array_set_clear_func(ig->rules, clear_rule);
    ig->text = g_ptr_array_new_with_free_func(g_free);
    return ig;
}

void ignore_free(struct ignore *ig)
{
    if (!ig)
        return;
    g_array_unref(ig->rules);
    g_ptr_array_unref(ig->text);
    g_free(ig);
}

static char *trimmed(const char *s)
{
    const char *end = s + strlen(s), *start = text_skip_space(s, end);
    return g_strndup(start, text_trim_end(start, end) - start);
}

/* Trims and cleans; drops a file's leading '/'. */
static char *clean_once(const char *pattern, gboolean from_file)
{
    g_autofree char *p = trimmed(pattern);
    const char *sign = *p == '!' ? "!" : "";
    g_autofree char *body = trimmed(p + strlen(sign));
    if (!*body)
        return g_strdup(sign);
    g_autofree char *clean = path_clean(body);
    return g_strconcat(sign, clean + (from_file && clean[0] == '/' && clean[1]), NULL);
}

/* Until nothing changes: moby reads a pattern twice, so that "/!x" is an exception, and a cleaned
 * pattern must mean the same when it is read again. */
static char *clean_pattern(const char *pattern, gboolean from_file)
{
    char *p = clean_once(pattern, from_file);
    for (;;) {
        char *next = clean_once(p, from_file);
        gboolean same = strcmp(next, p) == 0;
        g_free(p);
        if (same)
            return next;
        p = next;
    }
}

/* Adds a pattern; empty ones are ignored. */
static gboolean add_pattern(struct ignore *ig, const char *pattern, gboolean from_file, guint line,
                            GError **err)
{
    if (ig->rules->len == IGNORE_MAX_PATTERNS)
        return error_set(err, VARVE_ERROR_INVALID, "more than %d ignore patterns",
                         IGNORE_MAX_PATTERNS);
    if (strlen(pattern) > IGNORE_MAX_LENGTH)
        return error_set(err, VARVE_ERROR_INVALID, "an ignore pattern is longer than %d bytes",
                         IGNORE_MAX_LENGTH);
    g_autofree char *clean = clean_pattern(pattern, from_file);
    struct rule rule = {.negated = *clean == '!', .line = line};
    if (!*clean)
        return TRUE;
    if (!clean[rule.negated])
        return error_set(err, VARVE_ERROR_INVALID,
                         "illegal exclusion pattern \"!\": nothing follows the '!'");
    rule.glob = glob_new(clean + rule.negated, err);
    if (!rule.glob)
        return FALSE;
    g_array_append_val(ig->rules, rule);
    ig->saves |= rule.negated;
    g_ptr_array_add(ig->text, g_steal_pointer(&clean));
    return TRUE;
}

static struct ignore *finish_ignore(struct ignore *ig)
{
    g_ptr_array_add(ig->text, NULL);
    return ig;
}

struct ignore *ignore_new(const char *const *patterns, GError **err)
{
    g_autoptr(ignore) ig = new_empty();
    for (; patterns && *patterns; patterns++) {
        const char *end = *patterns + strlen(*patterns);
        const char *start = text_skip_space(*patterns, end);
        g_autofree char *p = g_strndup(start, text_trim_end(start, end) - start);
        if (*p && !add_pattern(ig, p, FALSE, 0, err))
            return NULL;
    }
    return finish_ignore(g_steal_pointer(&ig));
}

struct ignore *ignore_parse(const void *bytes, gsize len, GError **err)
{
    g_autoptr(ignore) ig = new_empty();
    const char *p = bytes, *end = p + len;
    if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    for (guint line = 1; p < end; line++) {
        const char *nl = memchr(p, '\n', end - p);
        const char *stop = nl ? nl : end;
        const char *start = text_skip_space(p, stop);
        const char *last = text_trim_end(start, stop);
        if (*p != '#' && last > start) {
            g_autofree char *pattern = g_strndup(start, last - start);
            if (memchr(start, '\0', last - start)
                    ? !error_set(err, VARVE_ERROR_INVALID, "a NUL byte")
                    : !add_pattern(ig, pattern, TRUE, line, err)) {
                g_prefix_error(err, "line %u: ", line);
                return NULL;
            }
        }
        p = nl ? nl + 1 : end;
    }
    return finish_ignore(g_steal_pointer(&ig));
}

gboolean ignore_is_empty(const struct ignore *ig)
{
    return ig->rules->len == 0;
}

const char *const *ignore_patterns(const struct ignore *ig)
{
    return (const char *const *)ig->text->pdata;
}

/* The last rule that matches path or a directory above it, or -1: without negated rules it decides,
 * and this reads each path once, while last_counting() reads its start repeatedly. */
static int last_match(const struct ignore *ig, const char *path)
{
    for (int i = (int)ig->rules->len - 1; i >= 0; i--)
        if (glob_match_within(g_array_index(ig->rules, struct rule, i).glob, path))
            return i;
    return -1;
}

/* The same for the first len bytes of path; counts has the rules that applied to the directory
 * above, and then those for this path. */
static int last_counting(const struct ignore *ig, const char *path, gsize len, guint8 *counts)
{
    int last = -1;
    gboolean ignored = FALSE;
    for (guint i = 0; i < ig->rules->len; i++) {
        const struct rule *r = &g_array_index(ig->rules, struct rule, i);
        if (!counts[i] && r->negated == ignored)
            counts[i] = glob_match(r->glob, path, len);
        if (!counts[i])
            continue;
        ignored = !r->negated;
        last = i;
    }
    return last;
}

/* Index of the rule that decides about path, or -1. */
static int deciding_rule(const struct ignore *ig, const char *path)
{
    if (!ig->saves)
        return last_match(ig, path);
    guint8 *counts = g_newa0(guint8, ig->rules->len);
    for (const char *end = strchr(path, '/'); end; end = strchr(end + 1, '/'))
        last_counting(ig, path, end - path, counts);
    return last_counting(ig, path, strlen(path), counts);
}

gboolean ignore_match(const struct ignore *ig, const char *path)
{
    if (!*path || strcmp(path, ".") == 0)
        return FALSE;
    int i = deciding_rule(ig, path);
    return i >= 0 && !g_array_index(ig->rules, struct rule, i).negated;
}

const char *ignore_decider(const struct ignore *ig, const char *path, guint *line)
{
    if (!ignore_match(ig, path))
        return NULL;
    int i = deciding_rule(ig, path);
    *line = g_array_index(ig->rules, struct rule, i).line;
    return g_ptr_array_index(ig->text, i);
}

/* Everything below dir is matched by the rule that ignores dir itself, so only later rules can
 * re-include it. */
gboolean ignore_can_skip_dir(const struct ignore *ig, const char *dir)
{
    if (!*dir || strcmp(dir, ".") == 0)
        return FALSE;
    int i = deciding_rule(ig, dir);
    if (i < 0 || g_array_index(ig->rules, struct rule, i).negated)
        return FALSE;
    for (guint k = i + 1; k < ig->rules->len; k++) {
        const struct rule *r = &g_array_index(ig->rules, struct rule, k);
        if (r->negated && glob_may_match_below(r->glob, dir))
            return FALSE;
    }
    return TRUE;
}
