#include "cache/objectlist.h"

#include "base/error.h"
#include "net/response.h"

#include <string.h>

#define MAX_DEPTH 16
#define MAX_TEXT 4096

void object_entry_free(struct object_entry *e)
{
    if (!e)
        return;
    g_free(e->key);
    g_free(e);
}

struct listing_reader {
    const struct object_listing *l;
    GPtrArray *out;
    struct object_entry *entry; /* being read; NULL: outside of one */
    char *next;
    guint depth;
    GString *text; /* of the innermost element */
};

static void list_start(GMarkupParseContext *ctx, const char *name, const char **names,
                       const char **values, gpointer data, GError **err)
{
    struct listing_reader *r = data;
    g_string_truncate(r->text, 0);
    if (++r->depth > MAX_DEPTH)
        error_set(err, VARVE_ERROR_INVALID, "its elements are nested too deeply");
    else if (g_str_equal(name, r->l->item) && !r->entry)
        r->entry = g_new0(struct object_entry, 1);
}

/* RFC 9110 (Azure) or ISO 8601 (S3). */
static gint64 parse_modified(const char *text)
{
    gint64 at = http_date(text);
    g_autoptr(GDateTime) iso = at < 0 ? g_date_time_new_from_iso8601(text, NULL) : NULL;
    return iso ? g_date_time_to_unix(iso) : MAX(at, 0);
}

static void take_entry_field(struct listing_reader *r, const char *name)
{
    struct object_entry *e = r->entry;
    if (g_str_equal(name, r->l->key) && !e->key)
        e->key = g_strdup(r->text->str);
    else if (g_str_equal(name, r->l->size))
        e->size = g_ascii_strtoull(r->text->str, NULL, 10);
    else if (g_str_equal(name, r->l->modified))
        e->modified = parse_modified(r->text->str);
}

static void list_end(GMarkupParseContext *ctx, const char *name, gpointer data, GError **err)
{
    struct listing_reader *r = data;
    r->depth--;
    if (r->entry && g_str_equal(name, r->l->item)) {
        struct object_entry *e = g_steal_pointer(&r->entry);
        if (e->key)
            g_ptr_array_add(r->out, e);
        else
            object_entry_free(e);
    } else if (r->entry) {
        take_entry_field(r, name);
    } else if (g_str_equal(name, r->l->next) && r->text->len && !r->next) {
        r->next = g_strdup(r->text->str);
    }
    g_string_truncate(r->text, 0);
}

static void list_text(GMarkupParseContext *ctx, const char *text, gsize len, gpointer data,
                      GError **err)
{
    struct listing_reader *r = data;
    if (r->text->len + len > MAX_TEXT)
        error_set(err, VARVE_ERROR_INVALID, "it has a text of more than %d bytes", MAX_TEXT);
    else
        g_string_append_len(r->text, text, len);
}

static gboolean parse_markup(const GMarkupParser *parser, gpointer data, const char *xml, gsize len,
                             GError **err)
{
    /* Azure begins with a byte order mark. */
    if (len >= 3 && memcmp(xml, "\xef\xbb\xbf", 3) == 0) {
        xml += 3;
        len -= 3;
    }
    g_autoptr(GMarkupParseContext) ctx = g_markup_parse_context_new(parser, 0, data, NULL);
    g_autoptr(GError) why = NULL;
    if (g_markup_parse_context_parse(ctx, xml, len, &why) &&
        g_markup_parse_context_end_parse(ctx, &why))
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "its answer is not the XML it should be: %s",
                     why->message);
}

gboolean objectlist_parse(const struct object_listing *l, const char *xml, gsize len,
                          GPtrArray *out, char **next, GError **err)
{
    static const GMarkupParser parser = {
        .start_element = list_start, .end_element = list_end, .text = list_text};
    struct listing_reader r = {.l = l, .out = out, .text = g_string_new(NULL)};
    gboolean ok = parse_markup(&parser, &r, xml, len, err);
    object_entry_free(r.entry);
    g_string_free(r.text, TRUE);
    *next = g_steal_pointer(&r.next);
    if (!ok)
        g_clear_pointer(next, g_free);
    return ok;
}

char *objectlist_element(const char *xml, gsize len, const char *name)
{
    const struct object_listing l = {
        .item = "", .key = "", .size = "", .modified = "", .next = name};
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    char *text = NULL;
    objectlist_parse(&l, xml, len, none, &text, NULL);
    return text;
}
