/* Functions of text by the character, which is a grapheme cluster (cluster.h). */
#include "bake/cluster.h"
#include "bake/function.h"

#include <string.h>

static const struct param ONE_STRING[] = {{"str", &type_string, FALSE}};
static const struct param SUBSTR[] = {
    {"str", &type_string, FALSE}, {"offset", &type_number, FALSE}, {"length", &type_number, FALSE}};

static const struct value *call_reverse(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    struct text t = args[0]->text;
    g_autofree char *reversed = g_malloc(t.len + 1);
    char *to = reversed + t.len;
    for (const char *p = t.bytes, *end = p + t.len; p < end;) {
        gsize len = cluster_length(p, end);
        to -= len;
        memcpy(to, p, len);
        p += len;
    }
    return value_string(c->heap, reversed, t.len);
}

static const struct value *call_strlen(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    return value_int(c->heap, (gint64)cluster_count(args[0]->text));
}

/* A negative offset counts from the end, a negative length means all. */
static const struct value *call_substr(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    struct text t = args[0]->text;
    gint64 offset, length;
    if (!call_int(c, args, 1, G_MININT64, G_MAXINT64, &offset, err) ||
        !call_int(c, args, 2, G_MININT64, G_MAXINT64, &length, err))
        return NULL;
    if (offset < 0)
        offset += (gint64)cluster_count(t);
    else if (length == 0)
        return value_cstring(c->heap, "");
    gsize skipped = cluster_prefix(t, (gsize)MAX(offset, 0));
    struct text rest = {t.bytes + skipped, t.len - skipped};
    /* With a negative offset a length of 0 means all, as in cty. */
    gsize len = length <= 0 ? rest.len : cluster_prefix(rest, (gsize)length);
    return value_string(c->heap, rest.bytes, len);
}

const struct function functions_character[] = {
    FUNCTION("reverse", ONE_STRING, NULL, call_reverse),
    FUNCTION("strlen", ONE_STRING, NULL, call_strlen),
    FUNCTION("substr", SUBSTR, NULL, call_substr),
    {0},
};
