#include "bake/semver.h"

#include "base/error.h"

#include <string.h>

/* Of which parts are missing or 'x'; all behind it are, too. */
enum part { MAJOR, MINOR, PATCH, COMPLETE };

struct version {
    guint64 number[3]; /* major, minor, patch; 0 from known on */
    enum part known;   /* the first part that is missing or 'x' */
    const char *pre;   /* of a pre-release, in the text */
    gsize pre_len;     /* 0: a release */
};

struct comparator {
    char op[3]; /* "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^" */
    struct version v;
};

static gboolean identifier_char(char c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '.';
}

/* Identifiers separated by points behind a '-' or '+'; their end, or NULL when one is empty. */
static const char *skip_identifiers(const char *p)
{
    const char *from = p;
    while (identifier_char(*p))
        p++;
    gboolean good = p > from && *from != '.' && p[-1] != '.';
    for (const char *q = from; good && q + 1 < p; q++)
        good = q[0] != '.' || q[1] != '.';
    return good ? p : NULL;
}

/* A number, or with wild also 'x', 'X', '*' in place of one. */
static const char *version_part(const char *p, gboolean wild, struct version *v, enum part i)
{
    if (wild && *p && strchr("xX*", *p)) {
        v->known = MIN(v->known, i);
        return p + 1;
    }
    const char *from = p;
    guint64 n = 0;
    for (; g_ascii_isdigit(*p); p++)
        n = n < G_MAXUINT64 / 20 ? n * 10 + (guint64)(*p - '0') : G_MAXUINT64;
    v->number[i] = v->known == COMPLETE ? n : 0;
    return p > from && n < G_MAXUINT64 ? p : NULL;
}

/* A version at p; where it ends, or NULL. */
static const char *version_read(const char *p, gboolean wild, struct version *v)
{
    *v = (struct version){.known = COMPLETE};
    p = version_part(p + (*p == 'v'), wild, v, MAJOR);
    for (guint i = MINOR; p && i <= PATCH; i++) {
        if (*p == '.')
            p = version_part(p + 1, wild, v, i);
        else
            v->known = MIN(v->known, i);
    }
    if (p && *p == '-') {
        v->pre = p + 1;
        p = skip_identifiers(v->pre);
        v->pre_len = p ? (gsize)(p - v->pre) : 0;
    }
    return p && *p == '+' ? skip_identifiers(p + 1) : p;
}

static gboolean all_digits(const char *p, gsize len)
{
    return len > 0 && strspn(p, "0123456789") >= len;
}

/* Numbers are lower than names, and compare as numbers. */
static int identifier_compare(const char *a, gsize a_len, const char *b, gsize b_len)
{
    gboolean a_digits = all_digits(a, a_len), b_digits = all_digits(b, b_len);
    if (a_digits != b_digits)
        return a_digits ? -1 : 1;
    if (a_digits && a_len != b_len) /* without leading zeros */
        return a_len < b_len ? -1 : 1;
    int c = memcmp(a, b, MIN(a_len, b_len));
    return c ? c : (a_len > b_len) - (a_len < b_len);
}

static gsize identifier_length(const char *p, const char *end)
{
    const char *dot = memchr(p, '.', (gsize)(end - p));
    return (gsize)((dot ? dot : end) - p);
}

static int pre_compare(const struct version *a, const struct version *b)
{
    if (!a->pre_len || !b->pre_len)
        return (a->pre_len == 0) - (b->pre_len == 0);
    const char *p = a->pre, *q = b->pre, *p_end = p + a->pre_len, *q_end = q + b->pre_len;
    while (p < p_end && q < q_end) {
        gsize m = identifier_length(p, p_end), n = identifier_length(q, q_end);
        int c = identifier_compare(p, m, q, n);
        if (c)
            return c;
        p += MIN(m + 1, (gsize)(p_end - p));
        q += MIN(n + 1, (gsize)(q_end - q));
    }
    return (p < p_end) - (q < q_end);
}

static int version_compare(const struct version *a, const struct version *b)
{
    for (guint i = MAJOR; i <= PATCH; i++)
        if (a->number[i] != b->number[i])
            return a->number[i] < b->number[i] ? -1 : 1;
    return pre_compare(a, b);
}

/* Whether the first parts of both are equal. */
static gboolean same_parts(const struct version *a, const struct version *b, guint parts)
{
    for (guint i = 0; i < parts; i++)
        if (a->number[i] != b->number[i])
            return FALSE;
    return TRUE;
}

/* "~1.2.3" and "~1.2": the same minor version; "~1": the same major one; "~0.0.0" and "*": any. */
static gboolean satisfies_tilde(const struct version *v, const struct version *c)
{
    gboolean zero = !c->number[0] && !c->number[1] && !c->number[2];
    if (version_compare(v, c) < 0)
        return FALSE;
    if (c->known == MAJOR || (zero && c->known == COMPLETE))
        return TRUE;
    return same_parts(v, c, c->known == MINOR ? 1 : 2);
}

/* The same up to the first part that is not zero, or that is the last known one. */
static gboolean satisfies_caret(const struct version *v, const struct version *c)
{
    guint parts = MAJOR;
    if (version_compare(v, c) < 0)
        return FALSE;
    while (parts < (guint)MIN(c->known, PATCH) && c->number[parts] == 0)
        parts++;
    return same_parts(v, c, MIN(parts + 1, (guint)c->known));
}

/* "> 1.2" means above all of 1.2.x. */
static gboolean satisfies_greater(const struct version *v, const struct version *c)
{
    if (c->known == MINOR || c->known == PATCH)
        return !same_parts(v, c, c->known) && version_compare(v, c) > 0;
    return version_compare(v, c) > 0;
}

/* "<= 1.2" means up to all of 1.2.x. */
static gboolean satisfies_less_equal(const struct version *v, const struct version *c)
{
    return version_compare(v, c) <= 0 || (c->known < COMPLETE && same_parts(v, c, c->known));
}

static gboolean comparator_check(const struct comparator *c, const struct version *v)
{
    const char *op = c->op;
    gboolean exact = c->v.known == COMPLETE;
    if (*op == '~')
        return satisfies_tilde(v, &c->v);
    if (*op == '^')
        return satisfies_caret(v, &c->v);
    if (strcmp(op, "!=") == 0)
        return exact ? version_compare(v, &c->v) != 0 : !same_parts(v, &c->v, c->v.known);
    if (strcmp(op, ">") == 0)
        return satisfies_greater(v, &c->v);
    if (strcmp(op, "<") == 0)
        return version_compare(v, &c->v) < 0;
    if (strcmp(op, ">=") == 0 || strcmp(op, "=>") == 0)
        return version_compare(v, &c->v) >= 0;
    if (strcmp(op, "<=") == 0 || strcmp(op, "=<") == 0)
        return satisfies_less_equal(v, &c->v);
    return exact ? version_compare(v, &c->v) == 0 : satisfies_tilde(v, &c->v);
}

static const char *version_space(const char *p)
{
    while (g_ascii_isspace(*p))
        p++;
    return p;
}

/* An operator and a version at p; where they end, or NULL. */
static const char *comparator_read(const char *p, struct comparator *c)
{
    static const char *const OPS[] = {"!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"};
    c->op[0] = '\0';
    p = version_space(p);
    for (guint i = 0; i < G_N_ELEMENTS(OPS) && !c->op[0]; i++)
        if (g_str_has_prefix(p, OPS[i]))
            g_strlcpy(c->op, OPS[i], sizeof(c->op));
    return version_read(version_space(p + strlen(c->op)), TRUE, &c->v);
}

/* "1.2 - 1.4", whose first version is in list already: the second, and what both mean. */
static const char *range_read(const char *p, GArray *list)
{
    struct comparator *low = &g_array_index(list, struct comparator, list->len - 1), high;
    if (low->op[0] || !g_ascii_isspace(p[1]))
        return NULL;
    g_strlcpy(low->op, ">=", sizeof(low->op));
    p = version_read(version_space(p + 1), TRUE, &high.v);
    g_strlcpy(high.op, "<=", sizeof(high.op));
    g_array_append_val(list, high);
    return p;
}

/* One comparator or range at p; then *more says whether another one must or may follow. */
static const char *item_read(const char *p, GArray *list, gboolean *more)
{
    struct comparator c;
    if (!(p = comparator_read(p, &c)))
        return NULL;
    g_array_append_val(list, c);
    const char *next = version_space(p);
    if (*next == '-' && next > p && !(p = range_read(next, list)))
        return NULL;
    next = version_space(p);
    *more = *next && !g_str_has_prefix(next, "||");
    if (*more && *next != ',' && next == p)
        return NULL;
    return *next == ',' ? next + 1 : next;
}

/* Comparators up to "||" or the end, all of which must be satisfied. NULL: malformed. */
static const char *group_read(const char *p, GArray *list)
{
    g_array_set_size(list, 0);
    for (gboolean more = TRUE; p && more;)
        p = item_read(p, list, &more);
    return p;
}

/* A pre-release satisfies only what names a pre-release itself. */
static gboolean satisfies_all(const GArray *list, const struct version *v)
{
    gboolean pre = FALSE;
    for (guint i = 0; i < list->len; i++)
        pre |= g_array_index(list, struct comparator, i).v.pre_len > 0;
    if (v->pre_len && !pre)
        return FALSE;
    for (guint i = 0; i < list->len; i++)
        if (!comparator_check(&g_array_index(list, struct comparator, i), v))
            return FALSE;
    return TRUE;
}

gboolean semver_satisfies(const char *version, const char *constraint, gboolean *yes, int *which,
                          GError **err)
{
    struct version v;
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(struct comparator));
    const char *end = version_read(version, FALSE, &v), *p = constraint;
    *which = 0;
    *yes = FALSE;
    if (!end || *end)
        return error_set(err, VARVE_ERROR_INVALID, "\"%s\" is no version such as 1.2.3", version);
    *which = 1;
    for (gboolean more = TRUE; more; p += more ? 2 : 0) {
        if (!(p = group_read(p, list)))
            return error_set(err, VARVE_ERROR_INVALID,
                             "\"%s\" is no condition such as \">= 1.2, < 2\"", constraint);
        *yes |= satisfies_all(list, &v);
        more = *p != '\0';
    }
    return TRUE;
}
