#include "script.h"

#include <string.h>

#define MAX_INPUTS 8

struct making {
    struct graph *g;
    GHashTable *known;
    char **words; /* of the line: NAME = KIND … */
    struct vertex *inputs[MAX_INPUTS];
    guint n_inputs;
    struct vertex_meta meta;
};

static int add_input(struct making *m, const char *name)
{
    if (g_str_equal(name, "-"))
        return -1;
    struct vertex *v = g_hash_table_lookup(m->known, name);
    if (!v)
        g_error("%s: there is no vertex %s", m->words[0], name);
    g_assert_cmpuint(m->n_inputs, <, MAX_INPUTS);
    m->inputs[m->n_inputs] = v;
    return (int)m->n_inputs++;
}

static struct vertex *finish(struct making *m, const struct op *op)
{
    m->meta.name = graph_str(m->g, m->words[0]);
    m->meta.stage = "s";
    m->meta.slot = m->meta.name;
    return graph_add(m->g, op, m->inputs, m->n_inputs, &m->meta);
}

static struct vertex *make_image(struct making *m)
{
    struct op op = {.type = OP_SOURCE};
    op.source.kind = SOURCE_IMAGE;
    op.source.identifier = graph_str(m->g, m->words[3]);
    digest_of_bytes(&op.source.digest, m->words[3], strlen(m->words[3]));
    return finish(m, &op);
}

static void add_mount(struct making *m, struct exec_op *e, const char *word)
{
    struct exec_mount *to = &e->mounts[e->n_mounts];
    g_auto(GStrv) parts = g_strsplit(strchr(word, '=') + 1, ":", 2);
    g_autofree char *dest = g_strconcat("/in/", parts[0], NULL);
    *to = (struct exec_mount){.input = -1, .dest = graph_str(m->g, dest), .readonly = TRUE};
    if (g_str_has_prefix(word, "cache=")) {
        to->type = MOUNT_CACHE;
        to->cache_id = graph_str(m->g, parts[0]);
        to->readonly = FALSE;
    } else {
        to->input = add_input(m, parts[0]);
        to->selector = graph_str(m->g, parts[1]);
    }
    e->n_mounts++;
}

static gboolean is_mount(const char *word)
{
    return g_str_has_prefix(word, "cache=") || g_str_has_prefix(word, "reads=") ||
           g_str_has_prefix(word, "part=");
}

/* The first word is the command, the only one that is part of a key. */
static struct vertex *make_exec(struct making *m)
{
    static const char *const no_env[] = {NULL};
    struct op op = {.type = OP_EXEC};
    struct exec_op *e = &op.exec;
    const char *args[] = {m->words[4], NULL};
    e->args = graph_strv(m->g, args);
    e->env = no_env;
    e->cwd = "/";
    e->proxy_env = graph_strv(m->g, (const char *const *)m->words + 4);
    e->mounts = graph_alloc0(m->g, MAX_INPUTS * sizeof *e->mounts);
    e->mounts[0] =
        (struct exec_mount){.input = add_input(m, m->words[3]), .dest = "/", .output = TRUE};
    e->n_mounts = 1;
    for (char **w = m->words + 5; *w; w++)
        if (is_mount(*w))
            add_mount(m, e, *w);
    return finish(m, &op);
}

static struct vertex *make_context(struct making *m)
{
    struct op op = {.type = OP_SOURCE};
    op.source.kind = SOURCE_LOCAL;
    op.source.identifier = "context";
    struct vertex_meta meta = {.name = "context", .internal = TRUE};
    return graph_add(m->g, &op, NULL, 0, &meta);
}

static struct vertex *make_copy(struct making *m)
{
    struct op op = {.type = OP_FILE};
    struct file_action *a = graph_alloc0(m->g, sizeof *a);
    a->type = FILE_COPY;
    a->input = add_input(m, m->words[3]);
    m->inputs[m->n_inputs] = make_context(m);
    a->secondary = (int)m->n_inputs++;
    a->output = TRUE;
    a->src = a->written = graph_str(m->g, m->words[4]);
    a->dest = "/";
    a->create_dest_path = TRUE;
    op.file = (struct file_op){.actions = a, .n_actions = 1, .n_inputs = m->n_inputs};
    return finish(m, &op);
}

static struct vertex *make_merge(struct making *m)
{
    struct op op = {.type = OP_MERGE};
    for (char **w = m->words + 3; *w; w++)
        add_input(m, *w);
    m->meta.internal = TRUE;
    return finish(m, &op);
}

static struct vertex *make_diff(struct making *m)
{
    struct op op = {.type = OP_DIFF};
    for (char **w = m->words + 3; *w; w++)
        add_input(m, *w);
    m->meta.internal = TRUE;
    return finish(m, &op);
}

void script_define(struct graph *g, GHashTable *known, const char *line)
{
    static const struct {
        const char *kind;
        guint n_words; /* at least */
        struct vertex *(*make)(struct making *m);
    } kinds[] = {{"image", 4, make_image},
                 {"exec", 5, make_exec},
                 {"copy", 5, make_copy},
                 {"merge", 4, make_merge},
                 {"diff", 5, make_diff}};
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    struct making m = {.g = g, .known = known, .words = words};
    m.meta.no_cache = g_strv_contains((const char *const *)words, "no-cache");
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(words[2], kinds[i].kind)) {
            g_assert_cmpuint(g_strv_length(words), >=, kinds[i].n_words);
            g_hash_table_replace(known, g_strdup(words[0]), kinds[i].make(&m));
            return;
        }
    g_error("%s: there is no such kind", line);
}

const char **script_words(const struct vertex *v, const char *key)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (const char *const *w = v->op.exec.proxy_env; *w; w++)
        if (g_str_has_prefix(*w, key))
            g_ptr_array_add(list, (gpointer)(*w + strlen(key)));
    g_ptr_array_add(list, NULL);
    return (const char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}

gboolean script_has(const struct vertex *v, const char *word)
{
    return g_strv_contains(v->op.exec.proxy_env, word);
}
