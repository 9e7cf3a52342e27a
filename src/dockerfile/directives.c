#include "base/boolean.h"
#include "base/error.h"
#include "dockerfile/parse.h"
#include "dockerfile/parser.h"
#include "text/reference.h"
#include "text/space.h"

#include <jansson.h>

static const char *const names[] = {"syntax", "escape", "check"};
enum { SYNTAX, ESCAPE, CHECK, N_DIRECTIVES };

/* Splits "name = value"; p..end is what follows the comment sign. Returns a directive's number or
 * -1. */
static int split_directive(const char *p, const char *end, const char **value,
                           const char **value_end)
{
    p = text_skip_space(p, end);
    const char *name = p;
    while (p < end && g_ascii_isalnum(*p))
        p++;
    gsize n = p - name;
    p = text_skip_space(p, end);
    if (n == 0 || !g_ascii_isalpha(*name) || p == end || *p != '=')
        return -1;
    *value = text_skip_space(p + 1, end);
    *value_end = text_trim_end(*value, end);
    if (*value == *value_end)
        return -1;
    for (int i = 0; i < N_DIRECTIVES; i++)
        if (strlen(names[i]) == n && g_ascii_strncasecmp(names[i], name, n) == 0)
            return i;
    return -1;
}

/* "A,B" or "all". */
static void check_list(struct arena *arena, char *value, const char *const **list, gboolean *all)
{
    *all = strcmp(value, "all") == 0;
    g_auto(GStrv) parts = g_strsplit(value, ",", 100);
    const char **copy = arena_alloc(arena, (g_strv_length(parts) + 1) * sizeof *copy);
    for (guint i = 0; parts[i]; i++)
        copy[i] = arena_strdup(arena, g_strstrip(parts[i]));
    *list = copy;
}

static gboolean set_check_option(struct arena *arena, struct check_directive *check,
                                 const char *key, char *arg)
{
    if (arg && strcmp(key, "skip") == 0)
        check_list(arena, arg, &check->skip, &check->skip_all);
    else if (arg && strcmp(key, "experimental") == 0)
        check_list(arena, arg, &check->experimental, &check->experimental_all);
    else
        return arg && strcmp(key, "error") == 0 && boolean_parse(arg, &check->error);
    return TRUE;
}

struct check_directive *check_directive_parse(struct arena *arena, const char *value, GError **err)
{
    struct check_directive *check = arena_new_of(arena, struct check_directive);
    const char *remark = strstr(value, "//");
    g_autofree char *text = remark ? g_strndup(value, remark - value) : g_strdup(value);
    g_auto(GStrv) options = g_strsplit(text, ";", 20);
    for (char **o = options; *o; o++) {
        char *eq = strchr(g_strstrip(*o), '=');
        if (!**o)
            continue;
        if (eq)
            *eq = '\0';
        char *key = g_strstrip(*o);
        if (set_check_option(arena, check, key, eq ? g_strstrip(eq + 1) : NULL))
            continue;
        error_set(err, VARVE_ERROR_INVALID,
                  "invalid check option \"%s\"; known are skip=RULE,…, error=true|false and "
                  "experimental=RULE,…",
                  key);
        return NULL;
    }
    return check;
}

static void set_check(struct parser *ps, const char *value, struct span at)
{
    g_autoptr(GError) err = NULL;
    ps->df->check = check_directive_parse(ps->arena, value, &err);
    if (!ps->df->check)
        diags_gerror(ps->diags, at, err);
}

gboolean dockerfile_syntax_is_builtin(const char *syntax)
{
    g_autofree char *name = g_strndup(syntax, strcspn(syntax, " \t"));
    g_autoptr(reference) ref = reference_parse(name, NULL);
    return ref && (g_str_has_prefix(ref->path, "docker/dockerfile") ||
                   strstr(ref->path, "/docker/dockerfile"));
}

static void set_syntax(struct parser *ps, const char *value, struct span at)
{
    ps->df->syntax = value;
    ps->df->syntax_span = at;
    ps->foreign = !dockerfile_syntax_is_builtin(value);
    if (!ps->foreign)
        return;
    diags_error(ps->diags, at, "the syntax %s is a custom frontend, which is not supported", value);
    diags_hint(ps->diags, "docker/dockerfile is built in: use that, or remove the line");
}

static void set_directive(struct parser *ps, int which, const char *value, struct span at)
{
    if (ps->directives_seen & 1u << which) {
        diags_error(ps->diags, at, "only one %s parser directive can be used", names[which]);
        return;
    }
    ps->directives_seen |= 1u << which;
    if (which == SYNTAX) {
        set_syntax(ps, value, at);
    } else if (which == CHECK) {
        set_check(ps, value, at);
    } else if (strcmp(value, "\\") == 0 || strcmp(value, "`") == 0) {
        ps->df->escape = *value;
    } else {
        diags_error(ps->diags, at, "invalid escape token '%s': it must be \\ or `", value);
    }
}

gboolean parse_directive(struct parser *ps, const struct line *l, const char *comment)
{
    const char *value, *end;
    int which = split_directive(comment + 1, l->stop, &value, &end);
    if (which < 0)
        return FALSE;
    struct span at = {l->number, value - l->start + 1, end - value};
    set_directive(ps, which, arena_strndup(ps->arena, value, end - value), at);
    return TRUE;
}

/* Reads directives that begin with sign until a line has none. */
static void scan_directives(struct parser *ps, struct reader r, const char *sign)
{
    struct line l;
    while (reader_next(&r, &l)) {
        const char *value, *end;
        gsize n = strlen(sign);
        if ((gsize)(l.stop - l.start) < n || memcmp(l.start, sign, n) != 0)
            return;
        int which = split_directive(l.start + n, l.stop, &value, &end);
        if (which < 0)
            return;
        struct span at = {l.number, value - l.start + 1, end - value};
        if (which != ESCAPE && !(ps->directives_seen & 1u << which))
            set_directive(ps, which, arena_strndup(ps->arena, value, end - value), at);
    }
}

static void scan_json(struct parser *ps, const char *text, gsize len)
{
    const char *p = text_skip_space(text, text + len);
    if (p == text + len || *p != '{')
        return;
    json_t *doc = json_loadb(text, len, 0, NULL);
    const char *syntax = json_string_value(json_object_get(doc, "syntax"));
    if (syntax)
        set_syntax(ps, arena_strdup(ps->arena, syntax), (struct span){1, 0, 0});
    json_decref(doc);
}

void parse_detect_syntax(struct parser *ps, const char *text, gsize len)
{
    struct reader r = {.p = text, .end = text + len};
    struct line l;
    if (len > 2 && text[0] == '#' && text[1] == '!' && reader_next(&r, &l))
        scan_directives(ps, r, "#");
    if (!ps->df->syntax)
        scan_directives(ps, r, "//");
    if (!ps->df->syntax)
        scan_json(ps, text, len);
}
