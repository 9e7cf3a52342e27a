#include "bake/yaml.h"

#include "base/error.h"
#include "base/lazylib.h"

#include <string.h>
#include <yaml.h>

#define YAML_API(X, api)                                                                           \
    X(api, yaml_parser_initialize, parser_initialize)                                              \
    X(api, yaml_parser_set_encoding, parser_set_encoding)                                          \
    X(api, yaml_parser_set_input_string, parser_set_input_string)                                  \
    X(api, yaml_parser_parse, parser_parse)                                                        \
    X(api, yaml_parser_delete, parser_delete)                                                      \
    X(api, yaml_event_delete, event_delete)

static struct yaml_api {
    YAML_API(LAZYLIB_POINTER, )
} api;

static gboolean yaml_api_load(GError **err)
{
    static const struct lazylib_symbol symbols[] = {YAML_API(LAZYLIB_SYMBOL, struct yaml_api)};
    static struct lazylib lib = {.file = "libyaml-0.so.2",
                                 .needed_for = "reading Compose files",
                                 .package = "libyaml-0-2",
                                 .symbols = symbols,
                                 .n = G_N_ELEMENTS(symbols),
                                 .api = &api};
    return lazylib_load(&lib, err);
}

/* An anchor; value is complete only when the node that it stands at has ended. */
struct anchor {
    struct yaml *value;
    gboolean open;
};

/* Where the parser is: libyaml counts characters, places count bytes. */
struct cursor {
    gsize offset; /* bytes */
    gsize chars;
    gsize line_start; /* bytes */
    guint line;       /* from 1 */
};

struct reader {
    struct yaml_pool *pool;
    struct diags *text;
    const char *bytes;
    gsize len;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    struct cursor cursor;
    GHashTable *anchors; /* name → struct anchor *; of the document */
    guint depth;
};

static struct bake_where reader_where(struct reader *r, gsize chars, gsize length)
{
    struct cursor *c = &r->cursor;
    while (c->chars < chars && c->offset < r->len) {
        if (r->bytes[c->offset] == '\n') {
            c->line++;
            c->line_start = c->offset + 1;
        }
        do
            c->offset++;
        while (c->offset < r->len && ((guchar)r->bytes[c->offset] & 0xc0) == 0x80);
        c->chars++;
    }
    struct span s = {c->line, (guint)(c->offset - c->line_start) + 1, (guint)MAX(length, 1)};
    return (struct bake_where){r->text, s};
}

static struct bake_where event_where(struct reader *r)
{
    const yaml_mark_t *from = &r->event.start_mark, *to = &r->event.end_mark;
    gsize chars = to->index > from->index && to->line == from->line ? to->index - from->index : 1;
    return reader_where(r, from->index, chars);
}

/* A place by offset in bytes, as errors in the encoding have it. */
static struct bake_where offset_where(struct reader *r, gsize offset)
{
    guint line = 1;
    gsize start = 0;
    for (gsize i = 0; i < MIN(offset, r->len); i++) {
        if (r->bytes[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    struct span s = {line, (guint)(MIN(offset, r->len) - start) + 1, 1};
    return (struct bake_where){r->text, s};
}

static void syntax_error(struct reader *r, GError **err)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not YAML";
    if (p->error == YAML_READER_ERROR) {
        yaml_fail(r->pool, offset_where(r, p->problem_offset), err, "%s", problem);
        return;
    }
    struct bake_where at = reader_where(r, p->problem_mark.index, 1);
    gboolean tab =
        p->problem_mark.index && at.span.line && strstr(problem, "cannot start any token");
    yaml_fail(r->pool, at, err, "%s%s%s", p->context ? p->context : "", p->context ? ": " : "",
              problem);
    if (tab)
        error_add_next(err, "indent by blanks (YAML allows no tabs there), or quote the text");
}

/* The next event. FALSE: the text is no YAML. */
static gboolean reader_next(struct reader *r, GError **err)
{
    api.event_delete(&r->event);
    if (api.parser_parse(&r->parser, &r->event))
        return TRUE;
    memset(&r->event, 0, sizeof r->event);
    syntax_error(r, err);
    return FALSE;
}

static struct yaml *read_yaml_node(struct reader *r, GError **err);

/* "!reset", "!override"; libyaml gives the tags of YAML itself in full. */
static enum yaml_mark mark_of(const yaml_char_t *tag)
{
    const char *t = (const char *)tag;
    return !t                        ? YAML_MERGED
           : !strcmp(t, "!reset")    ? YAML_RESET
           : !strcmp(t, "!override") ? YAML_OVERRIDE
                                     : YAML_MERGED;
}

static struct anchor *anchor_add(struct reader *r, const yaml_char_t *name, struct yaml *value)
{
    if (!name)
        return NULL;
    /* of the pool: an anchor may be defined anew within itself */
    struct anchor *a = arena_new_of(r->pool->arena, struct anchor);
    a->value = value;
    a->open = TRUE;
    g_hash_table_replace(r->anchors, g_strdup((const char *)name), a);
    return a;
}

/* What a tag of YAML's own makes of a scalar's text. */
static gboolean apply_tag(struct reader *r, struct yaml *v, const char *tag, const char *text,
                          GError **err)
{
    static const struct {
        const char *name;
        enum yaml_kind kind;
    } known[] = {{"str", YAML_TEXT},    {"int", YAML_INT},   {"bool", YAML_BOOL},
                 {"float", YAML_FLOAT}, {"null", YAML_NULL}, {"timestamp", YAML_TIME}};
    tag += strlen("tag:yaml.org,2002:");
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strcmp(tag, known[i].name) != 0)
            continue;
        if (known[i].kind == YAML_TEXT)
            return TRUE;
        v->kind = yaml_resolve(r->pool->arena, text, &v->text);
        if (v->kind == YAML_INT && known[i].kind == YAML_FLOAT)
            v->kind = YAML_FLOAT;
        return v->kind == known[i].kind ||
               yaml_fail(r->pool, v->at, err, "!!%s cannot be %s", tag, yaml_kind_name(v));
    }
    return yaml_fail(r->pool, v->at, err, "tag !!%s is not supported here", tag);
}

static struct yaml *read_scalar(struct reader *r, GError **err)
{
    struct bake_where at = event_where(r);
    const char *s = (const char *)r->event.data.scalar.value;
    const char *tag = (const char *)r->event.data.scalar.tag;
    struct yaml *v = yaml_new_text(r->pool, NULL, at, err);
    if (!v)
        return NULL;
    if (strlen(s) != r->event.data.scalar.length) {
        yaml_fail(r->pool, at, err, "a string with a NUL character");
        return NULL;
    }
    v->text = arena_strdup(r->pool->arena, s);
    v->mark = mark_of(r->event.data.scalar.tag);
    anchor_add(r, r->event.data.scalar.anchor, v);
    gboolean plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag && g_str_has_prefix(tag, "tag:yaml.org,2002:")) {
        if (!apply_tag(r, v, tag, v->text, err))
            return NULL;
    } else if (plain && (!tag || v->mark != YAML_MERGED)) {
        v->kind = yaml_resolve(r->pool->arena, v->text, &v->text);
    }
    return v;
}

static struct yaml *read_alias(struct reader *r, GError **err)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    const struct anchor *a = g_hash_table_lookup(r->anchors, name);
    if (!a) {
        yaml_fail(r->pool, event_where(r), err, "unknown anchor \"%s\"", name);
        return NULL;
    }
    if (a->open && a->value->kind >= YAML_LIST) {
        yaml_fail(r->pool, event_where(r), err, "anchor \"%s\" contains itself", name);
        return NULL;
    }
    return yaml_copy(r->pool, a->value, err);
}

/* Enters a list or map: its empty value, registered under its anchor. */
static struct yaml *open_collection(struct reader *r, enum yaml_kind kind, struct anchor **anchor,
                                    GError **err)
{
    gboolean map = kind == YAML_MAP;
    struct bake_where at = event_where(r);
    struct yaml *v = yaml_new(r->pool, kind, at, err);
    if (!v)
        return NULL;
    v->mark = mark_of(map ? r->event.data.mapping_start.tag : r->event.data.sequence_start.tag);
    *anchor = anchor_add(
        r, map ? r->event.data.mapping_start.anchor : r->event.data.sequence_start.anchor, v);
    if (++r->depth > YAML_MAX_DEPTH) {
        yaml_fail(r->pool, at, err, "more than %d lists and maps within one another",
                  YAML_MAX_DEPTH);
        return NULL;
    }
    return v;
}

static void close_collection(struct reader *r, struct anchor *anchor)
{
    r->depth--;
    if (anchor)
        anchor->open = FALSE;
}

static struct yaml *read_list(struct reader *r, GError **err)
{
    struct anchor *anchor;
    struct yaml *list = open_collection(r, YAML_LIST, &anchor, err);
    if (!list)
        return NULL;
    while (reader_next(r, err)) {
        if (r->event.type == YAML_SEQUENCE_END_EVENT) {
            close_collection(r, anchor);
            return list;
        }
        struct yaml *item = read_yaml_node(r, err);
        if (!item)
            return NULL;
        yaml_append(r->pool, list, item);
    }
    return NULL;
}

/* "<<: *defaults", or a list of such, of which the first has precedence: what map has not is added.
 */
static gboolean merge_into(struct reader *r, struct yaml *map, const struct yaml *from,
                           struct bake_where at, GError **err)
{
    if (from->kind == YAML_LIST) {
        for (guint i = 0; i < from->n; i++) {
            if (from->items[i]->kind == YAML_LIST)
                return yaml_fail(r->pool, at, err, "<< takes a map, or a list of maps");
            if (!merge_into(r, map, from->items[i], at, err))
                return FALSE;
        }
        return TRUE;
    }
    if (from->kind != YAML_MAP)
        return yaml_fail(r->pool, at, err, "<< takes a map, or a list of maps, not %s",
                         yaml_kind_name(from));
    for (guint i = 0; i < from->n; i++)
        if (!yaml_entry(map, from->entries[i].key))
            yaml_set(r->pool, map, from->entries[i].key, from->entries[i].at,
                     from->entries[i].value);
    return TRUE;
}

/* Reads the value of a key, with the current event, and puts it into map. "<<" is kept in *merged
 * for later, as the map's own keys have precedence. */
static gboolean read_map_value(struct reader *r, struct yaml *map, const struct yaml *key,
                               struct yaml **merged, GError **err)
{
    const struct yaml_entry *old = yaml_entry(map, key->text);
    gboolean merge = !strcmp(key->text, "<<");
    if (old || (merge && *merged))
        return yaml_fail(r->pool, key->at, err, "key \"%s\" is here twice (first in line %u)",
                         key->text, (old ? old->at : (*merged)->at).span.line);
    struct yaml *value = reader_next(r, err) ? read_yaml_node(r, err) : NULL;
    if (!value)
        return FALSE;
    if (merge)
        *merged = value;
    else
        yaml_set(r->pool, map, key->text, key->at, value);
    return TRUE;
}

static struct yaml *read_map(struct reader *r, GError **err)
{
    struct anchor *anchor;
    struct yaml *map = open_collection(r, YAML_MAP, &anchor, err), *merged = NULL;
    if (!map)
        return NULL;
    while (reader_next(r, err)) {
        if (r->event.type == YAML_MAPPING_END_EVENT) {
            close_collection(r, anchor);
            return !merged || merge_into(r, map, merged, merged->at, err) ? map : NULL;
        }
        struct yaml *key = read_yaml_node(r, err);
        if (!key)
            return NULL;
        if (key->kind != YAML_TEXT) {
            yaml_fail(r->pool, key->at, err, "a key must be a string, not %s", yaml_kind_name(key));
            if (yaml_is_scalar(key))
                error_add_next(err, "put the key into quotes: \"%s\"", key->text);
            return NULL;
        }
        if (!read_map_value(r, map, key, &merged, err))
            return NULL;
    }
    return NULL;
}

/* The value that begins with the current event. */
static struct yaml *read_yaml_node(struct reader *r, GError **err)
{
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return read_alias(r, err);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, err);
    case YAML_MAPPING_START_EVENT:
        return read_map(r, err);
    default: /* the grammar leaves nothing else */
        return read_scalar(r, err);
    }
}

static gboolean read_documents(struct reader *r, GPtrArray *documents, GError **err)
{
    while (reader_next(r, err)) {
        if (r->event.type == YAML_STREAM_END_EVENT)
            return TRUE;
        if (r->event.type != YAML_DOCUMENT_START_EVENT)
            continue; /* the stream's start, a document's end */
        g_hash_table_remove_all(r->anchors);
        struct yaml *root = reader_next(r, err) ? read_yaml_node(r, err) : NULL;
        if (!root)
            return FALSE;
        g_ptr_array_add(documents, root);
    }
    return FALSE;
}

GPtrArray *yaml_parse(struct yaml_pool *p, const char *name, const void *bytes, gsize len,
                      GError **err)
{
    struct diags *text = diags_new();
    g_ptr_array_add(p->texts, text);
    if (len > YAML_MAX_BYTES) {
        diags_set_source(text, name, "", 0);
        yaml_fail(p, (struct bake_where){text, {0}}, err, "larger than %d MiB",
                  YAML_MAX_BYTES >> 20);
        return NULL;
    }
    diags_set_source(text, name, bytes, len);
    if (!yaml_api_load(err))
        return NULL;
    struct reader r = {.pool = p, .text = text, .bytes = bytes, .len = len};
    r.cursor.line = 1;
    r.anchors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    api.parser_initialize(&r.parser);
    api.parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    api.parser_set_input_string(&r.parser, bytes ? bytes : (const void *)"", len);
    g_autoptr(GPtrArray) documents = g_ptr_array_new();
    gboolean ok = read_documents(&r, documents, err);
    api.event_delete(&r.event);
    api.parser_delete(&r.parser);
    g_hash_table_unref(r.anchors);
    return ok ? g_steal_pointer(&documents) : NULL;
}
