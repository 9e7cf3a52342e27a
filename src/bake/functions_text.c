/* Functions of text that does not matter by the character: joining, splitting, trimming, letter
 * case. */
#include "bake/function.h"

#include "text/space.h"

#include <string.h>

static const struct param ONE_STRING[] = {{"str", &type_string, FALSE}};
static const struct param INDENT[] = {{"spaces", &type_number, FALSE},
                                      {"str", &type_string, FALSE}};
static const struct param SEPARATOR[] = {{"separator", &type_string, FALSE}};
static const struct param SPLIT[] = {{"separator", &type_string, FALSE},
                                     {"str", &type_string, FALSE}};
static const struct param REPLACE[] = {{"str", &type_string, FALSE},
                                       {"substr", &type_string, FALSE},
                                       {"replace", &type_string, FALSE}};
static const struct param TRIM[] = {{"str", &type_string, FALSE}, {"cutset", &type_string, FALSE}};
static const struct param TRIM_PREFIX[] = {{"str", &type_string, FALSE},
                                           {"prefix", &type_string, FALSE}};
static const struct param TRIM_SUFFIX[] = {{"str", &type_string, FALSE},
                                           {"suffix", &type_string, FALSE}};
static const struct param LISTS = {"lists", &type_list_string, FALSE};

static const char *text_end(struct text t)
{
    return t.bytes + t.len;
}

/* Where part begins at or after from; NULL: nowhere. An empty part is found at once. */
static const char *text_find(struct text t, const char *from, struct text part)
{
    return memmem(from, (gsize)(text_end(t) - from), part.bytes, part.len);
}

static gboolean text_starts(struct text t, struct text part)
{
    return t.len >= part.len && memcmp(t.bytes, part.bytes, part.len) == 0;
}

static const struct value *call_chomp(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    struct text t = args[0]->text;
    while (t.len > 0 && (t.bytes[t.len - 1] == '\n' || t.bytes[t.len - 1] == '\r'))
        t.len--;
    return value_string(c->heap, t.bytes, t.len);
}

static const struct value *call_indent(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    struct text t = args[1]->text;
    gint64 spaces;
    gsize lines = 0;
    if (!call_int(c, args, 0, 0, HEAP_MAX_STRING, &spaces, err))
        return NULL;
    for (gsize i = 0; i < t.len; i++)
        lines += t.bytes[i] == '\n';
    if (!heap_reserve_string(c->heap, t.len + lines * (gsize)spaces, err))
        return NULL;
    g_autoptr(GString) out = g_string_sized_new(t.len + lines * (gsize)spaces);
    for (gsize i = 0; i < t.len; i++) {
        g_string_append_c(out, t.bytes[i]);
        if (t.bytes[i] == '\n')
            g_string_append_printf(out, "%*s", (int)spaces, "");
    }
    return value_take(c->heap, out);
}

/* Appends the elements of args[i] with sep between them. */
static gboolean join_list(struct call *c, const struct value *const *args, guint i, gboolean *first,
                          GString *out, GError **err)
{
    for (guint k = 0; k < args[i]->n; k++) {
        const struct value *item = args[i]->items[k];
        if (item->null) {
            call_bad_arg(c, (int)i, err,
                         "element %u is null; leave it out, for example with "
                         "[for x in list : x if x != null]",
                         k);
            return FALSE;
        }
        if (!heap_reserve_string(c->heap, out->len + args[0]->text.len + item->text.len, err))
            return FALSE;
        if (!*first)
            g_string_append_len(out, args[0]->text.bytes, (gssize)args[0]->text.len);
        g_string_append_len(out, item->text.bytes, (gssize)item->text.len);
        *first = FALSE;
    }
    return TRUE;
}

static const struct value *call_join(struct call *c, const struct value *const *args, guint n,
                                     GError **err)
{
    gboolean first = TRUE;
    g_autoptr(GString) out = g_string_new(NULL);
    if (n < 2)
        return call_fail(err, "at least one list is needed");
    for (guint i = 1; i < n; i++)
        if (!join_list(c, args, i, &first, out, err))
            return NULL;
    return value_take(c->heap, out);
}

/* Where the separator that ends the part at p is. An empty one stands between any two characters,
 * but not at the end. */
static const char *separator_find(struct text t, const char *p, struct text sep)
{
    if (sep.len > 0)
        return text_find(t, p, sep);
    const char *next = p + text_char(p, text_end(t));
    return next < text_end(t) ? next : NULL;
}

static const struct value *call_split(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    struct text sep = args[0]->text, t = args[1]->text;
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    if (t.len == 0 && sep.len == 0)
        return value_list(c->heap, &type_string, NULL, 0);
    for (const char *p = t.bytes, *end; p; p = end ? end + sep.len : NULL) {
        end = separator_find(t, p, sep);
        gsize len = (gsize)((end ? end : text_end(t)) - p);
        g_ptr_array_add(parts, (gpointer)value_string(c->heap, p, len));
        if (!heap_step(c->heap, 1, err))
            return NULL;
    }
    return value_list(c->heap, &type_string, call_items(c->heap, parts), parts->len);
}

/* Characters before which an empty substring is replaced: all, and the end. */
static void replace_empty(struct text t, struct text with, GString *out)
{
    for (const char *p = t.bytes; p < text_end(t);) {
        gsize len = text_char(p, text_end(t));
        g_string_append_len(out, with.bytes, (gssize)with.len);
        g_string_append_len(out, p, (gssize)len);
        p += len;
    }
    g_string_append_len(out, with.bytes, (gssize)with.len);
}

static const struct value *call_replace(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    struct text t = args[0]->text, what = args[1]->text, with = args[2]->text;
    g_autoptr(GString) out = g_string_new(NULL);
    gsize times = what.len ? 0 : t.len + 1;
    const char *p = t.bytes;
    for (const char *at = p; what.len && (at = text_find(t, at, what)); at += what.len)
        times++;
    if (with.len && times > HEAP_MAX_STRING / with.len)
        times = HEAP_MAX_STRING / with.len + 1;
    if (!heap_reserve_string(c->heap, t.len + times * with.len, err))
        return NULL;
    if (!what.len) {
        replace_empty(t, with, out);
        return value_take(c->heap, out);
    }
    for (const char *at; (at = text_find(t, p, what)); p = at + what.len) {
        g_string_append_len(out, p, at - p);
        g_string_append_len(out, with.bytes, (gssize)with.len);
    }
    g_string_append_len(out, p, text_end(t) - p);
    return value_take(c->heap, out);
}

/* Whether the character at p is one of set. */
static gboolean set_has(struct text set, const char *p, gsize len)
{
    for (const char *s = set.bytes; s < text_end(set); s += text_char(s, text_end(set)))
        if (text_char(s, text_end(set)) == len && memcmp(s, p, len) == 0)
            return TRUE;
    return FALSE;
}

static const char *char_before(const char *p, const char *end)
{
    do
        end--;
    while (end > p && ((guchar)*end & 0xc0) == 0x80);
    return end;
}

static const struct value *call_trim(struct call *c, const struct value *const *args, guint n,
                                     GError **err)
{
    struct text set = args[1]->text;
    const char *p = args[0]->text.bytes, *end = text_end(args[0]->text);
    while (p < end && set_has(set, p, text_char(p, end)) && heap_step(c->heap, set.len, NULL))
        p += text_char(p, end);
    for (const char *last; p < end; end = last) {
        last = char_before(p, end);
        if (!set_has(set, last, (gsize)(end - last)) || !heap_step(c->heap, set.len, NULL))
            break;
    }
    return heap_step(c->heap, 0, err) ? value_string(c->heap, p, (gsize)(end - p)) : NULL;
}

static const struct value *call_trimspace(struct call *c, const struct value *const *args, guint n,
                                          GError **err)
{
    const char *end = text_end(args[0]->text);
    const char *p = text_skip_space(args[0]->text.bytes, end);
    return value_string(c->heap, p, (gsize)(text_trim_end(p, end) - p));
}

static const struct value *call_trimprefix(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    struct text t = args[0]->text, prefix = args[1]->text;
    if (!text_starts(t, prefix))
        return args[0];
    return value_string(c->heap, t.bytes + prefix.len, t.len - prefix.len);
}

static const struct value *call_trimsuffix(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    struct text t = args[0]->text, suffix = args[1]->text;
    if (t.len < suffix.len ||
        !text_starts((struct text){text_end(t) - suffix.len, suffix.len}, suffix))
        return args[0];
    return value_string(c->heap, t.bytes, t.len - suffix.len);
}

/* Each character as f makes it of it and of the one before it. */
static const struct value *text_mapped(struct heap *h, struct text t,
                                       gunichar (*f)(gunichar before, gunichar c))
{
    g_autoptr(GString) out = g_string_sized_new(t.len);
    gunichar before = ' ';
    for (const char *p = t.bytes; p < text_end(t); p += text_char(p, text_end(t))) {
        gunichar c = (guchar)*p < 0x80 ? (guchar)*p : g_utf8_get_char(p);
        g_string_append_unichar(out, f(before, c));
        before = c;
    }
    return value_take(h, out);
}

/* What GLib takes for no letters has case, too: Roman numerals and letters in circles. */
static gunichar map_lower(gunichar before, gunichar c)
{
    if (c >= 0x2160 && c <= 0x216f)
        return c + 16;
    return c >= 0x24b6 && c <= 0x24cf ? c + 26 : g_unichar_tolower(c);
}

static gunichar map_upper(gunichar before, gunichar c)
{
    if (c >= 0x2170 && c <= 0x217f)
        return c - 16;
    return c >= 0x24d0 && c <= 0x24e9 ? c - 26 : g_unichar_toupper(c);
}

/* Words begin behind white space and ASCII punctuation but '_' (Go's strings.Title). */
static gunichar map_title(gunichar before, gunichar c)
{
    gboolean separates = before < 0x80 ? !g_ascii_isalnum((char)before) && before != '_'
                                       : g_unichar_isspace(before) || before == 0x85;
    gboolean georgian = c >= 0x10d0 && c <= 0x10ff; /* has upper case, but titles do not use it */
    if (!separates || georgian)
        return c;
    return g_unichar_isalpha(c) ? g_unichar_totitle(c) : map_upper(before, c);
}

static const struct value *call_lower(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    return text_mapped(c->heap, args[0]->text, map_lower);
}

static const struct value *call_upper(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    return text_mapped(c->heap, args[0]->text, map_upper);
}

static const struct value *call_title(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    return text_mapped(c->heap, args[0]->text, map_title);
}

const struct function functions_text[] = {
    FUNCTION("chomp", ONE_STRING, NULL, call_chomp),
    FUNCTION("indent", INDENT, NULL, call_indent),
    FUNCTION("join", SEPARATOR, &LISTS, call_join),
    FUNCTION("lower", ONE_STRING, NULL, call_lower),
    FUNCTION("replace", REPLACE, NULL, call_replace),
    FUNCTION("split", SPLIT, NULL, call_split),
    FUNCTION("title", ONE_STRING, NULL, call_title),
    FUNCTION("trim", TRIM, NULL, call_trim),
    FUNCTION("trimprefix", TRIM_PREFIX, NULL, call_trimprefix),
    FUNCTION("trimspace", ONE_STRING, NULL, call_trimspace),
    FUNCTION("trimsuffix", TRIM_SUFFIX, NULL, call_trimsuffix),
    FUNCTION("upper", ONE_STRING, NULL, call_upper),
    {0},
};
