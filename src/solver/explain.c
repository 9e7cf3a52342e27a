/* Explanations. What a vertex read is stored beside its record as JSON:
 *   {"op": hex, "inputs": [{"name": text, "digest": hex, "files": {path: hex prefix}}, …]}
 * with one element for each part of a local source ("files" only up to EXPLAIN_MAX_FILES), one for
 * each cache mount that steps above wrote to ("cache": its target, instead of a name), and one for
 * every other input, whose digest is its definition key. A miss is explained by the first
 * element that differs. */
#include "solver/node.h"

#include "context/http.h"

#include <jansson.h>
#include <string.h>

#define HEX_PREFIX 16 /* digits kept of a file's digest */

static json_t *hex_json(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return json_string(digest_hex(d, hex));
}

/* Turns tree_selection_manifest()'s lines "path\0hex\n" into an object; NULL for NULL. */
static json_t *files_json(const char *manifest)
{
    if (!manifest)
        return NULL;
    json_t *files = json_object();
    for (const char *p = manifest; *p;) {
        const char *hex = strchr(p, '\t'), *end = hex ? strchr(hex, '\n') : NULL;
        if (!end)
            break;
        g_autofree char *path = g_utf8_make_valid(p, hex - p);
        json_object_set_new(files, path, json_stringn(hex + 1, MIN(HEX_PREFIX, end - hex - 1)));
        p = end + 1;
    }
    return files;
}

static json_t *read_json(struct node *n, const struct read *r)
{
    json_t *in = json_object();
    g_autofree char *name = g_utf8_make_valid(*r->sel.pattern ? r->sel.pattern : ".", -1);
    json_object_set_new(in, "name", json_string(name));
    json_object_set_new(in, "digest", hex_json(&r->digest));
    json_t *files = files_json(r->manifest);
    if (files)
        json_object_set_new(in, "files", files);
    return in;
}

static json_t *op_json(struct node *n)
{
    struct digest d;
    g_autoptr(hasher) h = hasher_new();
    op_hash(&n->v->op, h);
    hasher_final(h, &d);
    return hex_json(&d);
}

/* A part of the instruction that reads it, and no step of its own. */
static gboolean is_heredoc(const struct vertex *v)
{
    return v->meta.internal && v->op.type == OP_FILE && v->n_inputs == 0;
}

static json_t *past_json(const struct volume_past *p)
{
    json_t *in = json_object();
    g_autofree char *dest = g_utf8_make_valid(p->mount->dest, -1);
    json_object_set_new(in, "cache", json_string(dest));
    json_object_set_new(in, "digest", hex_json(&p->digest));
    return in;
}

static json_t *inputs_json(struct solver *s, struct node *n)
{
    json_t *all = json_array();
    for (guint i = 0; i < n->reads->len; i++) {
        const struct read *r = &g_array_index(n->reads, struct read, i);
        if (node_is_local(n->v->inputs[r->input]))
            json_array_append_new(all, read_json(n, r));
    }
    for (guint i = 0; i < n->pasts->len; i++)
        json_array_append_new(all, past_json(&g_array_index(n->pasts, struct volume_past, i)));
    for (guint i = 0; i < n->v->n_inputs; i++) {
        struct node *input = node_of(s, n->v->inputs[i]);
        if (input->local)
            continue;
        json_t *in = json_object();
        g_autofree char *url = input->resolved ? http_shown(input->v->op.source.identifier) : NULL;
        const char *plain = is_heredoc(input->v) ? "" : input->v->meta.name;
        g_autofree char *name = g_utf8_make_valid(url ? url : plain, -1);
        json_object_set_new(in, "name", json_string(name));
        json_object_set_new(in, "digest", hex_json(&input->res.key));
        json_array_append_new(all, in);
    }
    return all;
}

char *node_inputs_json(struct solver *s, struct node *n)
{
    json_t *root = json_object();
    json_object_set_new(root, "op", op_json(n));
    json_object_set_new(root, "inputs", inputs_json(s, n));
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    char *copy = g_strdup(text);
    free(text);
    json_decref(root);
    return copy;
}

/* Counts and names the files that differ: "1 of 14 files differs: src/server.ts". */
static char *explain_files(json_t *old, json_t *now)
{
    guint differ = 0, total = json_object_size(now);
    const char *first = NULL, *what = "differs";
    const char *path;
    json_t *hex;
    json_object_foreach(now, path, hex)
    {
        json_t *before = json_object_get(old, path);
        if (before && json_equal(before, hex))
            continue;
        if (!first) {
            first = path;
            what = before ? "differs" : "is new";
        }
        differ++;
    }
    json_object_foreach(old, path, hex)
    {
        if (json_object_get(now, path))
            continue;
        if (!first) {
            first = path;
            what = "is gone";
        }
        differ++;
    }
    if (!first)
        return g_strdup("modes or owners of its files differ");
    if (differ == 1)
        return g_strdup_printf("1 of %u file%s %s: %s", total, total == 1 ? "" : "s", what, first);
    return g_strdup_printf("%u of %u files differ: %s, …", differ, total, first);
}

static char *explain_input(json_t *old, json_t *now)
{
    const char *name = json_string_value(json_object_get(now, "name"));
    const char *cache = json_string_value(json_object_get(now, "cache"));
    json_t *old_files = json_object_get(old, "files"), *files = json_object_get(now, "files");
    if (cache)
        return g_strdup_printf("a step before it that writes to its cache mount %s changed", cache);
    if (old_files && files)
        return explain_files(old_files, files);
    if (name && !*name)
        return g_strdup("the text of its heredoc changed");
    return g_strdup_printf("its input %s changed", name);
}

static char *explain_difference(json_t *old, json_t *now)
{
    if (!json_equal(json_object_get(old, "op"), json_object_get(now, "op")))
        return g_strdup("the instruction, its arguments or its environment changed");
    json_t *a = json_object_get(old, "inputs"), *b = json_object_get(now, "inputs");
    if (json_array_size(a) != json_array_size(b))
        return g_strdup("it has other inputs than before");
    for (gsize i = 0; i < json_array_size(b); i++) {
        json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
        if (!json_equal(json_object_get(x, "digest"), json_object_get(y, "digest")))
            return explain_input(x, y);
    }
    return g_strdup("built before, but its layer is no longer in the store");
}

char *node_explain_miss(struct solver *s, struct node *n)
{
    if (n->v->meta.no_cache)
        return g_strdup("--no-cache");
    g_autofree char *slot = node_slot(s, n);
    g_autofree char *before = slot ? store_slot_inputs(s->o.store, slot) : NULL;
    json_t *old = before ? json_loads(before, 0, NULL) : NULL;
    if (!old)
        return g_strdup("never built here");
    json_t *now = json_loads(n->inputs_json, 0, NULL);
    char *why = explain_difference(old, now);
    json_decref(old);
    json_decref(now);
    return why;
}

char *node_slot(struct solver *s, struct node *n)
{
    if (n->v->meta.internal)
        return NULL;
    /* The sources of an ADD have its place; they must not be taken for it. */
    return g_strdup_printf("%s|%s%s", s->o.slot_prefix ? s->o.slot_prefix : "",
                           n->v->meta.slot ? n->v->meta.slot : n->v->meta.name,
                           n->resolved ? "|source" : "");
}
