#include "text/glob.h"

#include "base/error.h"
#include "text/pattern.h"

#include <string.h>

/* What a state reads to reach the next state. The state after the last item accepts. */
enum item_type {
    ITEM_CHAR,  /* one certain character */
    ITEM_ANY,   /* '?': one character but '/' */
    ITEM_CLASS, /* '[…]': one character in (or not in) ranges */
    ITEM_STAR,  /* '*': any number of characters but '/' */
    ITEM_ALL,   /* "**" at the end: any number of characters */
    ITEM_ENTER, /* "**" before something: reads nothing; goes to the ITEM_DIRS behind it or past
                   that */
    ITEM_DIRS,  /* any number of characters, the last of them '/' */
};

struct range {
    gunichar lo, hi;
};

struct item {
    enum item_type type;
    gunichar c;           /* ITEM_CHAR */
    gboolean negated;     /* ITEM_CLASS */
    struct range *ranges; /* ITEM_CLASS */
    guint n_ranges;       /* ITEM_CLASS */
};

struct glob {
    char *exact;   /* a pattern without specials: compared as text, no automaton */
    GArray *items; /* struct item */
    guint words;   /* of 64 states in a set */
    guint64 *next; /* [128][words]: states that reading an ASCII character leads past */
    guint64 *loop_name, *loop_all; /* [words]: states that read on: all but '/'; anything */
    guint64 *skip1, *skip2;        /* [words]: states that also count as the one 1 or 2 behind */
};

static void clear_item(gpointer p)
{
    g_free(((struct item *)p)->ranges);
}

void glob_free(struct glob *g)
{
    if (!g)
        return;
    g_free(g->exact);
    if (g->items)
        g_array_unref(g->items);
    g_free(g->next);
    g_free(g->loop_name);
    g_free(g->loop_all);
    g_free(g->skip1);
    g_free(g->skip2);
    g_free(g);
}

static gunichar read_char(const char **p)
{
    gunichar c = g_utf8_get_char_validated(*p, -1);
    if (c == (gunichar)-1 || c == (gunichar)-2)
        return 0x110000 + (guchar) * (*p)++;
    *p += g_utf8_skip[(guchar) * *p];
    return c;
}

static void add_item(struct glob *g, enum item_type type, gunichar c)
{
    struct item item = {.type = type, .c = c};
    guint n = g->items->len;
    if (type == ITEM_STAR && n && g_array_index(g->items, struct item, n - 1).type == ITEM_STAR)
        return;
    g_array_append_val(g->items, item);
}

/* The ASCII classes of POSIX, "[:name:]" in a class, as pairs of bounds. */
static const struct {
    const char *name, *bounds;
} posix_classes[] = {
    {"alnum", "09AZaz"},   {"alpha", "AZaz"},   {"blank", "\t\t  "}, {"cntrl", "\1\37\177\177"},
    {"digit", "09"},       {"graph", "!~"},     {"lower", "az"},     {"print", " ~"},
    {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},     {"word", "09AZ__az"},
    {"xdigit", "09AFaf"},
};

/* *p is at "[:": adds the ranges of the class and moves behind its ":]". FALSE for an unknown one.
 */
static gboolean read_posix_class(GArray *ranges, const char **p)
{
    const char *name = *p + 2, *end = strstr(name, ":]");
    if (!end)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(posix_classes); i++) {
        if (strncmp(name, posix_classes[i].name, (gsize)(end - name)) != 0 ||
            posix_classes[i].name[end - name])
            continue;
        for (const char *b = posix_classes[i].bounds; *b; b += 2) {
            struct range r = {(guchar)b[0], (guchar)b[1]};
            g_array_append_val(ranges, r);
        }
        *p = end + 2;
        return TRUE;
    }
    return FALSE;
}

static gunichar read_bound(const char **p)
{
    *p += **p == '\\' && (*p)[1];
    return read_char(p);
}

/* One character or range, where there is one; FALSE when it ends before it begins. */
static gboolean read_range(GArray *ranges, const char **p)
{
    struct range r;
    r.lo = r.hi = read_bound(p);
    if (**p == '-' && (*p)[1]) {
        (*p)++;
        r.hi = read_bound(p);
    }
    g_array_append_val(ranges, r);
    return r.lo <= r.hi;
}

/* *p is behind '[' of a class that pattern_check() has seen. Returns what is wrong with it, or
 * NULL: moby makes regular expressions of these, so that more is malformed than in file names. */
static const char *read_class(struct glob *g, const char **p)
{
    struct item item = {.type = ITEM_CLASS};
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(struct range));
    item.negated = **p == '^';
    *p += item.negated;
    while (**p && **p != ']') {
        if ((*p)[0] == '[' && (*p)[1] == ':') {
            if (!read_posix_class(ranges, p))
                return "there is no such class of characters";
        } else if (!read_range(ranges, p)) {
            return "a range in a [class] ends before it begins";
        }
    }
    if (!**p)
        return "a [class] is not closed";
    (*p)++;
    item.n_ranges = ranges->len;
    item.ranges = (struct range *)g_array_free(g_steal_pointer(&ranges), FALSE);
    g_array_append_val(g->items, item);
    return NULL;
}

/* "**" has been read. A '/' behind it belongs to it. */
static void add_deep(struct glob *g, const char **p, gboolean first)
{
    gboolean slash = **p == '/';
    *p += slash;
    /* "**name" at the start means names that end so, when nothing else is special in it. */
    gboolean suffix = first && !slash && !(*p)[strcspn(*p, "*?[]\\")];
    if (!**p || suffix) {
        add_item(g, ITEM_ALL, 0);
        return;
    }
    guint n = g->items->len;
    if (n && g_array_index(g->items, struct item, n - 1).type == ITEM_DIRS)
        return; /* "**" twice is the same as once, and long chains would be slow */
    add_item(g, ITEM_ENTER, 0);
    add_item(g, ITEM_DIRS, 0);
}

/* Returns what is wrong with the pattern, or NULL. */
static const char *compile(struct glob *g, const char *pattern)
{
    const char *wrong = NULL;
    for (const char *p = pattern; *p && !wrong;) {
        if (p[0] == '*' && p[1] == '*') {
            gboolean first = p == pattern;
            p += 2;
            add_deep(g, &p, first);
            continue;
        }
        gunichar c = read_char(&p);
        if (c == '*')
            add_item(g, ITEM_STAR, 0);
        else if (c == '?')
            add_item(g, ITEM_ANY, 0);
        else if (c == '[')
            wrong = read_class(g, &p);
        else if (c == '\\' && *p)
            add_item(g, ITEM_CHAR, read_char(&p));
        else
            add_item(g, ITEM_CHAR, c);
    }
    return wrong;
}

static gboolean item_reads(const struct item *it, gunichar c)
{
    switch (it->type) {
    case ITEM_CHAR:
        return it->c == c;
    case ITEM_ANY:
        return c != '/';
    case ITEM_DIRS:
        return c == '/';
    case ITEM_CLASS:
        for (guint i = 0; i < it->n_ranges; i++)
            if (it->ranges[i].lo <= c && c <= it->ranges[i].hi)
                return !it->negated;
        return it->negated;
    default:
        return FALSE;
    }
}

static void set_bit(guint64 *set, guint i)
{
    set[i / 64] |= G_GUINT64_CONSTANT(1) << (i % 64);
}

static gboolean has_bit(const guint64 *set, guint i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void make_tables(struct glob *g)
{
    g->words = g->items->len / 64 + 1;
    g->next = g_new0(guint64, 128 * g->words);
    g->loop_name = g_new0(guint64, g->words);
    g->loop_all = g_new0(guint64, g->words);
    g->skip1 = g_new0(guint64, g->words);
    g->skip2 = g_new0(guint64, g->words);
    for (guint i = 0; i < g->items->len; i++) {
        const struct item *it = &g_array_index(g->items, struct item, i);
        for (gunichar c = 0; c < 128; c++)
            if (item_reads(it, c))
                set_bit(g->next + c * g->words, i);
        if (it->type == ITEM_STAR)
            set_bit(g->loop_name, i);
        if (it->type == ITEM_ALL || it->type == ITEM_DIRS)
            set_bit(g->loop_all, i);
        if (it->type == ITEM_STAR || it->type == ITEM_ALL || it->type == ITEM_ENTER)
            set_bit(g->skip1, i);
        if (it->type == ITEM_ENTER)
            set_bit(g->skip2, i);
    }
}

struct glob *glob_new(const char *pattern, GError **err)
{
    g_autoptr(glob) g = g_new0(struct glob, 1);
    if (!pattern_check(pattern, err))
        return NULL;
    if (!pattern[strcspn(pattern, "*?[]\\")]) {
        g->exact = g_strdup(pattern);
        return g_steal_pointer(&g);
    }
    g->items = g_array_new(FALSE, FALSE, sizeof(struct item));
    g_array_set_clear_func(g->items, clear_item);
    const char *wrong = compile(g, pattern);
    if (wrong) {
        error_set(err, VARVE_ERROR_INVALID, "malformed pattern \"%s\": %s", pattern, wrong);
        return NULL;
    }
    make_tables(g);
    return g_steal_pointer(&g);
}

/* Adds the states that are reached without reading. They lie ahead, so one pass in order is enough
 * when repeated until nothing changes, which for real patterns is once or twice. */
static void add_skips(const struct glob *g, guint64 *set)
{
    for (gboolean changed = TRUE; changed;) {
        changed = FALSE;
        guint64 carry1 = 0, carry2 = 0;
        for (guint w = 0; w < g->words; w++) {
            guint64 one = set[w] & g->skip1[w], two = set[w] & g->skip2[w];
            guint64 more = set[w] | one << 1 | two << 2 | carry1 | carry2;
            carry1 = one >> 63;
            carry2 = two >> 62;
            changed |= more != set[w];
            set[w] = more;
        }
    }
}

/* Reads one character; FALSE when no state is left. */
static gboolean step_glob(const struct glob *g, guint64 *set, gunichar c)
{
    guint64 carry = 0, any = 0;
    for (guint w = 0; w < g->words; w++) {
        guint64 past = 0;
        if (c < 128) {
            past = set[w] & g->next[c * g->words + w];
        } else {
            for (guint i = w * 64; i < MIN((w + 1) * 64, g->items->len); i++)
                if (has_bit(set, i) && item_reads(&g_array_index(g->items, struct item, i), c))
                    past |= G_GUINT64_CONSTANT(1) << (i % 64);
        }
        guint64 stay = set[w] & (g->loop_all[w] | (c == '/' ? 0 : g->loop_name[w]));
        set[w] = past << 1 | carry | stay;
        carry = past >> 63;
        any |= set[w];
    }
    if (!any)
        return FALSE;
    add_skips(g, set);
    return TRUE;
}

static void start_glob(const struct glob *g, guint64 *set)
{
    memset(set, 0, g->words * sizeof(*set));
    set_bit(set, 0);
    add_skips(g, set);
}

gboolean glob_match_within(const struct glob *g, const char *path)
{
    if (g->exact) {
        gsize n = strlen(g->exact);
        return strncmp(path, g->exact, n) == 0 && (!path[n] || path[n] == '/');
    }
    guint64 *set = g_newa(guint64, g->words);
    guint accept = g->items->len;
    start_glob(g, set);
    for (const char *p = path; *p;) {
        if (*p == '/' && p > path && has_bit(set, accept))
            return TRUE;
        if (!step_glob(g, set, read_char(&p)))
            return FALSE;
    }
    return has_bit(set, accept);
}

gboolean glob_match(const struct glob *g, const char *path, gsize len)
{
    if (g->exact)
        return strlen(g->exact) == len && strncmp(path, g->exact, len) == 0;
    guint64 *set = g_newa(guint64, g->words);
    start_glob(g, set);
    for (const char *p = path; p < path + len;)
        if (!step_glob(g, set, read_char(&p)))
            return FALSE;
    return has_bit(set, g->items->len);
}

gboolean glob_may_match_below(const struct glob *g, const char *dir)
{
    if (g->exact) {
        gsize n = strlen(dir);
        return strncmp(g->exact, dir, n) == 0 && g->exact[n] == '/';
    }
    guint64 *set = g_newa(guint64, g->words);
    start_glob(g, set);
    for (const char *p = dir; *p;)
        if (!step_glob(g, set, read_char(&p)))
            return FALSE;
    if (!step_glob(g, set, '/'))
        return FALSE;
    /* Only the accepting state left: it would match dir and a '/', which no path is. */
    guint accept = g->items->len;
    for (guint i = 0; i < accept; i++)
        if (has_bit(set, i))
            return TRUE;
    return FALSE;
}
