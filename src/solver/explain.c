/* Explanations. What a vertex read is stored with its record as JSON:
 *
 *   {"op": hex, "parts": {"text": hex prefix, …},
 *    "inputs": [{"name": text, "digest": hex, "files": {path: hex prefix}}, …]}
 *
 * "parts" shows which part of the op differs: the instruction's text, and of a RUN its arguments,
 * directory, user and variables. "inputs" has an element for each part of a local source ("files"
 * only up to EXPLAIN_MAX_FILES), one for each cache mount that earlier steps wrote to ("cache": its
 * target, instead of a name), and one for every other input, whose digest is its definition key. A
 * miss is explained by the first element that differs. */
#include "solver/explain.h"

#include "net/url.h"

#include <jansson.h>
#include <string.h>

#define HEX_PREFIX 16 /* digits kept of a file's digest */
#define MAX_NAMES 3   /* variables that are named */

static json_t *hex_json(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return json_string(digest_hex(d, hex));
}

/* Turns tree_selection_manifest()'s lines "path\thex\n" into an object; NULL for NULL. */
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
    g_autofree char *manifest =
        r->selected ? tree_selection_manifest(r->selected, EXPLAIN_MAX_FILES) : NULL;
    json_t *files = files_json(manifest);
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

static json_t *prefix_json(const char *const *words)
{
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    g_autoptr(hasher) h = hasher_new();
    for (; words && *words; words++)
        hasher_add_str(h, *words);
    hasher_final(h, &d);
    return json_stringn(digest_hex(&d, hex), HEX_PREFIX);
}

static json_t *text_json(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    return json_string(valid);
}

/* Values are hashed: variables may contain things that should not be stored twice. */
static json_t *env_json(const char *const *env)
{
    json_t *all = json_object();
    for (; env && *env; env++) {
        g_autofree char *name = g_utf8_make_valid(*env, (gssize)strcspn(*env, "="));
        json_object_set_new(all, name, prefix_json((const char *const[]){*env, NULL}));
    }
    return all;
}

static json_t *parts_json(const struct vertex *v)
{
    json_t *parts = json_object();
    json_object_set_new(parts, "text", prefix_json((const char *const[]){v->meta.name, NULL}));
    if (v->op.type != OP_EXEC)
        return parts;
    json_object_set_new(parts, "args", prefix_json(v->op.exec.args));
    json_object_set_new(parts, "env", env_json(v->op.exec.env));
    json_object_set_new(parts, "directory", text_json(v->op.exec.cwd));
    json_object_set_new(parts, "user", text_json(v->op.exec.user));
    return parts;
}

/* Part of the instruction that reads it, not a separate step. */
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
        g_autofree char *url = input->resolved ? url_shown(input->v->op.source.identifier) : NULL;
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
    json_object_set_new(root, "parts", parts_json(n->v));
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

/* Adds the names of a that b has not, or otherwise, with these words; counts them. */
static guint add_missing_names(GString *out, json_t *a, json_t *b, gboolean gone)
{
    const char *name;
    json_t *value;
    guint n = 0;
    json_object_foreach(a, name, value)
    {
        json_t *other = json_object_get(b, name);
        if (other && (gone || json_equal(value, other)))
            continue;
        if (++n <= MAX_NAMES)
            g_string_append_printf(out, "%s%s %s", out->len > 0 ? ", " : "", name,
                                   gone    ? "is gone"
                                   : other ? "changed"
                                           : "is new");
    }
    return n;
}

/* "its variable VERSION changed"; NULL: none did. */
static char *explain_env(json_t *old, json_t *now)
{
    g_autoptr(GString) names = g_string_new(NULL);
    guint n = add_missing_names(names, now, old, FALSE) + add_missing_names(names, old, now, TRUE);
    if (n == 0)
        return NULL;
    return g_strdup_printf("its variable%s %s", n == 1 ? "" : "s:", names->str);
}

static char *explain_part(json_t *old, json_t *now, const char *key, const char *called)
{
    const char *was = json_string_value(json_object_get(old, key));
    const char *is = json_string_value(json_object_get(now, key));
    if (!was || !is || g_str_equal(was, is))
        return NULL;
    return g_strdup_printf("its %s changed: was %s, is %s", called, *was ? was : "(none)",
                           *is ? is : "(none)");
}

/* What changed in the op; old and now are its parts. */
static char *explain_op(json_t *old, json_t *now)
{
    gboolean text = json_equal(json_object_get(old, "text"), json_object_get(now, "text"));
    char *why = NULL;
    if (!old)
        return g_strdup("the instruction, its arguments or its environment changed");
    if (!text)
        return g_strdup("the instruction changed");
    if (!json_equal(json_object_get(old, "args"), json_object_get(now, "args")))
        return g_strdup("its SHELL or its heredoc changed");
    if ((why = explain_env(json_object_get(old, "env"), json_object_get(now, "env"))) ||
        (why = explain_part(old, now, "directory", "WORKDIR")) ||
        (why = explain_part(old, now, "user", "USER")))
        return why;
    if (json_object_get(now, "args"))
        return g_strdup("a mount, or an option of the build that RUN sees, changed");
    return g_strdup("the values of its variables or flags changed");
}

static char *explain_difference(json_t *old, json_t *now)
{
    if (!json_equal(json_object_get(old, "op"), json_object_get(now, "op")))
        return explain_op(json_object_get(old, "parts"), json_object_get(now, "parts"));
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
    if (!before && slot && s->o.cache)
        before = cache_reader_slot_inputs(s->o.cache, slot);
    json_t *old = before ? json_loads(before, 0, NULL) : NULL;
    if (!old)
        return g_strdup(NEVER_BUILT);
    json_t *now = json_loads(n->inputs_json, 0, NULL);
    char *why = explain_difference(old, now);
    json_decref(old);
    json_decref(now);
    return why;
}

char *node_slot(const struct solver *s, const struct node *n)
{
    if (n->v->meta.internal)
        return NULL;
    /* The sources of an ADD have its slot; they must not be mistaken for it. */
    return g_strconcat(n->v->meta.slot ? n->v->meta.slot : n->v->meta.name,
                       n->resolved ? "|source" : NULL, NULL);
}
