/* Lowering against tests/data/lower: NAME.in is a Dockerfile whose first line may be
 * "# options: --target=x --build-arg=A=1 …"; NAME.expected is its diagnostics, or its graph, config
 * and history. VARVE_UPDATE=1 writes the expectations anew. Base images come from a fake resolver.
 */
#include "base/error.h"
#include "dockerfile/parser.h"
#include "graph/gotext.h"
#include "graph/lower.h"
#include "graph/ports.h"
#include "text/signalname.h"

#include <string.h>

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct fake {
    struct image_resolver resolver;
    guint calls; /* of resolve, atomic */
    guint meet;  /* calls that wait for one another; 0: none do */
    GMutex lock;
    GCond came;
};

/* Returns when as many calls are there at the same time as are to meet. */
static void meet(struct fake *f)
{
    gint64 end = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&f->lock);
    g_cond_broadcast(&f->came);
    while ((guint)g_atomic_int_get(&f->calls) < f->meet)
        if (!g_cond_wait_until(&f->came, &f->lock, end))
            g_error("%u images were asked for at once, not %u", f->calls, f->meet);
    g_mutex_unlock(&f->lock);
}

static void add_layer(struct image_conf *c, const char *created_by, gboolean empty)
{
    struct digest d = {{1}};
    image_conf_add_history(c, created_by, empty);
    if (!empty)
        g_array_append_val(c->diff_ids, d);
}

static gboolean fake_resolve(struct image_resolver *self, enum context_kind kind, const char *ref,
                             const struct platform *p, struct resolved_image *out, GError **err)
{
    struct fake *f = (struct fake *)self;
    g_atomic_int_inc(&f->calls);
    meet(f);
    if (strstr(ref, "missing"))
        return error_set(err, VARVE_ERROR_NOT_FOUND, "cannot pull %s: not found", ref);
    if (strstr(ref, "interrupted"))
        return error_set(err, VARVE_ERROR_CANCELLED, "interrupted");
    struct image_conf *c = image_conf_new(p);
    add_layer(c, "base layer", FALSE);
    c->cmd = g_strsplit("sh", " ", -1);
    if (strstr(ref, "rich")) {
        c->user = g_strdup("app");
        c->workdir = g_strdup("/srv");
        image_conf_setenv(c, "PATH", "/bin");
        image_conf_setenv(c, "RICH", "yes");
        c->shell = g_strsplit("/bin/ash -ec", " ", -1);
    }
    if (strstr(ref, "onbuild")) {
        g_ptr_array_add(c->onbuild, g_strdup("COPY --from=tools /t /t"));
        g_ptr_array_add(c->onbuild, g_strdup("RUN echo $A"));
    }
    if (strstr(ref, "badtrigger"))
        g_ptr_array_add(c->onbuild, g_strdup("COPY only-one"));
    if (strstr(ref, "empty")) {
        g_array_set_size(c->diff_ids, 0);
        g_ptr_array_set_size(c->history, 0);
    }
    char text[] = DIGEST; /* each image has its own */
    text[7] = "0123456789abcdef"[g_str_hash(ref) % 16];
    if (!g_str_equal(p->arch, "amd64")) /* and each of its platforms */
        text[8] = "0123456789abcdef"[g_str_hash(p->arch) % 16];
    struct digest digest;
    g_assert_true(digest_parse(&digest, text, NULL));
    *out = (struct resolved_image){g_strdup(ref), digest, c};
    return TRUE;
}

static void append_strv(GString *out, const char *name, const char *const *v)
{
    if (!v)
        return;
    g_string_append_printf(out, " %s=", name);
    gotext_append_quoted_list(out, v);
}

static void append_text(GString *out, const char *name, const char *value)
{
    if (value)
        g_string_append_printf(out, " %s=%s", name, value);
}

static void describe_source(GString *out, const struct source_op *s)
{
    static const char *const kinds[] = {"image", "local", "http", "git", "oci-layout"};
    g_string_append_printf(out, "%s %s", kinds[s->kind], s->identifier);
    if (*s->platform.arch)
        g_string_append_printf(out, " %s/%s", s->platform.os, s->platform.arch);
    g_autofree char *checksum = s->has_checksum ? digest_text(&s->checksum) : g_strdup(s->commit);
    append_text(out, "checksum", checksum);
    append_text(out, "filename", s->filename);
    append_text(out, "ref", s->ref);
    append_text(out, "subdir", s->subdir);
    g_string_append(out, s->keep_git_dir ? " keep-git-dir" : "");
    g_string_append(out, s->submodules ? " submodules" : "");
}

static void describe_mount(GString *out, const struct exec_mount *m)
{
    g_string_append_printf(out, "\n        %s %d:%s on %s", mount_type_names[m->type], m->input,
                           m->selector ? m->selector : "", m->dest ? m->dest : "-");
    append_text(out, "cache", m->cache_id);
    append_text(out, "id", m->id);
    append_text(out, "env", m->env);
    if (m->mode || m->uid || m->gid)
        g_string_append_printf(out, " %o %u:%u", m->mode, m->uid, m->gid);
    if (m->size)
        g_string_append_printf(out, " size=%" G_GUINT64_FORMAT, m->size);
    const struct {
        gboolean set;
        const char *name;
    } flags[] = {{m->readonly, "readonly"},
                 {m->output, "output"},
                 {m->optional, "optional"},
                 {m->sharing == SHARING_LOCKED, "locked"},
                 {m->sharing == SHARING_PRIVATE, "private"}};
    for (guint i = 0; i < G_N_ELEMENTS(flags); i++)
        if (flags[i].set)
            g_string_append_printf(out, " %s", flags[i].name);
}

static void describe_exec(GString *out, const struct exec_op *e)
{
    g_string_append(out, "exec ");
    if (!g_str_equal(e->platform.arch, "amd64"))
        g_string_append_printf(out, "for %s ", e->platform.arch);
    gotext_append_quoted_list(out, e->args);
    append_strv(out, "env", e->env);
    append_strv(out, "proxy", e->proxy_env);
    append_text(out, "cwd", e->cwd);
    append_text(out, "user", e->user);
    append_text(out, "hostname", e->hostname);
    g_string_append(out, e->network == NET_NONE   ? " net=none"
                         : e->network == NET_HOST ? " net=host"
                                                  : "");
    g_string_append(out, e->insecure ? " insecure" : "");
    for (guint i = 0; i < e->n_mounts; i++)
        describe_mount(out, &e->mounts[i]);
}

static void describe_action(GString *out, const struct file_action *a)
{
    static const char *const types[] = {"copy", "mkfile", "mkdir", "rm", "symlink"};
    g_string_append_printf(out, "\n        %s %d", types[a->type], a->input);
    if (a->type == FILE_COPY)
        g_string_append_printf(out, " from %d:%s", a->secondary, a->src);
    g_string_append_printf(out, " to %s", a->dest);
    append_text(out, "owner", a->owner);
    append_text(out, "chmod", a->mode_text);
    append_strv(out, "exclude", a->excludes);
    if (a->data)
        g_string_append_printf(out, " %o \"%s\"", a->mode, a->data);
    const struct {
        gboolean set;
        const char *name;
    } flags[] = {{a->output, "output"},           {a->follow_symlink, "follow"},
                 {a->dir_contents, "contents"},   {a->attempt_unpack, "unpack"},
                 {a->create_dest_path, "create"}, {a->allow_wildcard, "wildcard"},
                 {a->parents, "parents"},         {a->make_parents, "mkparents"}};
    for (guint i = 0; i < G_N_ELEMENTS(flags); i++)
        if (flags[i].set)
            g_string_append_printf(out, " %s", flags[i].name);
}

static void describe_vertex(GString *out, const struct vertex *v)
{
    g_string_append_printf(out, "%d  %s | %s %s %d-%d%s%s", v->number, v->meta.name,
                           v->meta.stage ? v->meta.stage : "-", v->meta.slot ? v->meta.slot : "-",
                           v->meta.line, v->meta.line_end, v->meta.internal ? " internal" : "",
                           v->meta.no_cache ? " no-cache" : "");
    append_text(out, "level", v->meta.level);
    if (v->meta.platform && !g_str_equal(v->meta.platform, "linux/amd64"))
        append_text(out, "platform", v->meta.platform);
    g_string_append(out, "\n    ");
    if (v->op.type == OP_SOURCE)
        describe_source(out, &v->op.source);
    else if (v->op.type == OP_EXEC)
        describe_exec(out, &v->op.exec);
    else
        g_string_append(out, v->op.type == OP_MERGE ? "merge" : "file");
    for (guint i = 0; v->op.type == OP_FILE && i < v->op.file.n_actions; i++)
        describe_action(out, &v->op.file.actions[i]);
    for (guint i = 0; i < v->n_inputs; i++)
        g_string_append_printf(out, "%s%d", i ? " " : "\n    <- ", v->inputs[i]->number);
    g_string_append_c(out, '\n');
}

static gboolean append_entry(gpointer key, gpointer value, gpointer out)
{
    g_string_append_printf(out, " %s=%s", (char *)key, (char *)value);
    return FALSE;
}

static void append_map(GString *out, const char *name, GTree *map)
{
    if (g_tree_nnodes(map) == 0)
        return;
    g_string_append(out, name);
    g_tree_foreach(map, append_entry, out);
    g_string_append_c(out, '\n');
}

static void describe_conf(GString *out, const struct image_conf *c)
{
    g_autofree char *platform = platform_text(&c->platform);
    g_string_append_printf(out, "config %s", platform);
    append_text(out, "author", c->author);
    append_text(out, "created", c->created);
    append_text(out, "user", c->user);
    append_text(out, "workdir", c->workdir);
    append_text(out, "stopsignal", c->stop_signal);
    append_strv(out, "entrypoint", (const char *const *)c->entrypoint);
    append_strv(out, "cmd", (const char *const *)c->cmd);
    append_strv(out, "shell", (const char *const *)c->shell);
    g_string_append(out, c->args_escaped ? " args-escaped\n" : "\n");
    for (guint i = 0; i < c->env->len; i++)
        g_string_append_printf(out, "env %s\n", (char *)c->env->pdata[i]);
    for (guint i = 0; i < c->onbuild->len; i++)
        g_string_append_printf(out, "onbuild %s\n", (char *)c->onbuild->pdata[i]);
    append_map(out, "labels", c->labels);
    append_map(out, "volumes", c->volumes);
    append_map(out, "ports", c->ports);
    for (guint i = 0; i < c->history->len; i++) {
        const struct history *h = c->history->pdata[i];
        g_string_append_printf(out, "%s%s%s%s\n", h->empty_layer ? "  empty " : "  layer ",
                               h->created ? h->created : "", h->created ? " " : "", h->created_by);
    }
}

/* What a test's first line and the fake give to lowering. */
struct setup {
    struct fake fake;
    struct lower_options o;
    GPtrArray *labels, *filter;
};

static void free_context(gpointer p)
{
    struct named_context *c = p;
    g_free(c->name);
    g_free(c->value);
    g_free(c);
}

static void add_context(struct setup *s, const char *text)
{
    static const char *const prefixes[] = {"", "docker-image://", "oci-layout://", "git+", "http+"};
    const char *eq = strchr(text, '='), *value = eq + 1;
    struct named_context *c = g_new0(struct named_context, 1);
    c->name = g_strndup(text, eq - text);
    for (guint i = 1; i < G_N_ELEMENTS(prefixes); i++) {
        if (!g_str_has_prefix(value, prefixes[i]))
            continue;
        c->kind = i;
        value += strlen(prefixes[i]);
    }
    c->value = g_strdup(value);
    g_ptr_array_add(s->o.contexts, c);
}

static void add_option(struct setup *s, const char *option)
{
    g_auto(GStrv) kv = g_strsplit(option, "=", 2);
    const char *value = kv[1] ? kv[1] : "";
    if (strcmp(kv[0], "--build-arg") == 0) {
        g_auto(GStrv) arg = g_strsplit(value, "=", 2);
        g_hash_table_insert(s->o.build_args, g_strdup(arg[0]), g_strdup(arg[1]));
    } else if (strcmp(kv[0], "--build-context") == 0) {
        add_context(s, value);
    } else if (strcmp(kv[0], "--target") == 0) {
        s->o.target = g_intern_string(value);
    } else if (strcmp(kv[0], "--label") == 0) {
        g_ptr_array_add(s->labels, (gpointer)g_intern_string(value));
    } else if (strcmp(kv[0], "--no-cache-filter") == 0) {
        g_ptr_array_add(s->filter, (gpointer)g_intern_string(value));
    } else if (strcmp(kv[0], "--platform") == 0) {
        g_assert_true(platform_parse(&s->o.platform, value, NULL));
    } else if (strcmp(kv[0], "--created") == 0) {
        s->o.created = g_intern_string(value);
    } else if (strcmp(kv[0], "--allow-all") == 0) {
        s->o.allow_insecure = s->o.allow_host_network = TRUE;
    } else {
        g_error("unknown option %s", option);
    }
}

/* Every source has the time of its URL's length; "undated" has none. */
static gboolean fake_time(struct image_resolver *self, const struct source_op *op, gint64 *seconds,
                          GError **err)
{
    if (strstr(op->identifier, "missing"))
        return error_set(err, VARVE_ERROR_NOT_FOUND, "cannot get %s: 404", op->identifier);
    *seconds = strstr(op->identifier, "undated") ? -1 : 1000 + (gint64)strlen(op->identifier);
    return TRUE;
}

static void setup_init(struct setup *s, const char *source)
{
    *s = (struct setup){.fake = {.resolver = {fake_resolve, fake_time}}};
    s->o.resolver = &s->fake.resolver;
    s->o.build_args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    s->o.contexts = g_ptr_array_new_with_free_func(free_context);
    g_assert_true(platform_parse(&s->o.platform, "linux/amd64", NULL));
    s->o.build_platform = s->o.platform;
    s->labels = g_ptr_array_new();
    s->filter = g_ptr_array_new();
    if (g_str_has_prefix(source, "# options: ")) {
        g_autofree char *line = g_strndup(source + 11, strcspn(source + 11, "\n"));
        g_auto(GStrv) options = g_strsplit(line, " ", -1);
        for (char **o = options; *o; o++)
            add_option(s, *o);
    }
    g_ptr_array_add(s->labels, NULL);
    g_ptr_array_add(s->filter, NULL);
    s->o.labels = (const char *const *)s->labels->pdata;
    s->o.no_cache_filter = (const char *const *)s->filter->pdata;
}

static void setup_clear(struct setup *s)
{
    g_hash_table_unref(s->o.build_args);
    g_ptr_array_unref(s->o.contexts);
    g_ptr_array_unref(s->labels);
    g_ptr_array_unref(s->filter);
}

static void describe_result(GString *out, const struct lowered *l, guint calls)
{
    for (guint i = 0; i < l->graph->vertices->len; i++)
        describe_vertex(out, g_ptr_array_index(l->graph->vertices, i));
    g_string_append_printf(out, "result %d of stage %s, %u images resolved\n",
                           l->result ? l->result->number : -1, l->stage, calls);
    if (l->epoch >= 0)
        g_string_append_printf(out, "epoch %" G_GINT64_FORMAT "\n", l->epoch);
    describe_conf(out, l->conf);
}

/* meet: how many images are to be asked for at once. */
static char *describe_meeting(const char *source, gsize len, guint meet)
{
    struct setup s;
    setup_init(&s, source);
    s.fake.meet = meet;
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(source, len, "Dockerfile", d);
    g_autoptr(GError) err = NULL;
    g_autoptr(lowered) l = df && !diags_has_errors(d) ? lower(df, &s.o, d, &err) : NULL;
    g_assert_true(l || diags_has_errors(d) || err);
    GString *out = g_string_new(NULL);
    g_autofree char *text = diags_render(d, 0);
    g_string_append(out, text);
    g_autofree char *error = err ? error_text(err) : NULL;
    if (err)
        g_string_append_printf(out, "error: %s\n", error);
    if (l)
        describe_result(out, l, s.fake.calls);
    setup_clear(&s);
    return g_string_free(out, FALSE);
}

static char *describe(const char *source, gsize len)
{
    return describe_meeting(source, len, 0);
}

static void test_case(gconstpointer name)
{
    g_autofree char *in = g_strconcat(name, ".in", NULL),
                    *out = g_strconcat(name, ".expected", NULL);
    g_autofree char *source = NULL, *expected = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(in, &source, &len, NULL));
    g_autofree char *got = describe(source, len);
    if (g_getenv("VARVE_UPDATE")) {
        g_assert_true(g_file_set_contents(out, got, -1, NULL));
        return;
    }
    g_assert_true(g_file_get_contents(out, &expected, NULL, NULL));
    g_assert_cmpstr(got, ==, expected);
}

/* What the ops of a graph and their inputs are for the solver's keys, as one digest. */
static void hash_graph(const struct graph *g, char hex[DIGEST_HEX_LEN + 1])
{
    struct digest d;
    g_autoptr(hasher) h = hasher_new();
    for (guint i = 0; i < g->vertices->len; i++) {
        const struct vertex *v = g_ptr_array_index(g->vertices, i);
        op_hash(&v->op, h);
        for (guint k = 0; k < v->n_inputs; k++)
            hasher_add_u64(h, v->inputs[k]->number);
    }
    hasher_final(h, &d);
    digest_hex(&d, hex);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void append_keys(GString *out, const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL), *source = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &source, &len, NULL));
    struct setup s;
    setup_init(&s, source);
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(source, len, "Dockerfile", d);
    g_autoptr(lowered) l = df && !diags_has_errors(d) ? lower(df, &s.o, d, NULL) : NULL;
    char hex[DIGEST_HEX_LEN + 1];
    if (l) {
        hash_graph(l->graph, hex);
        g_string_append_printf(out, "%.32s %s\n", hex, name);
    }
    setup_clear(&s);
}

/* Whoever changes a line of tests/data/lower/keys makes every store miss once, and has to raise
 * KEY_EPOCH where the result differs. */
static void test_keys(void)
{
    g_autofree char *dir = g_test_build_filename(G_TEST_DIST, "tests/data/lower", NULL);
    g_autofree char *path = g_build_filename(dir, "keys", NULL), *expected = NULL;
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) got = g_string_new(NULL);
    for (const char *name; (name = g_dir_read_name(d));)
        if (g_str_has_suffix(name, ".in"))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, by_text);
    for (guint i = 0; i < names->len; i++)
        append_keys(got, dir, names->pdata[i]);
    if (g_getenv("VARVE_UPDATE"))
        g_assert_true(g_file_set_contents(path, got->str, -1, NULL));
    g_assert_true(g_file_get_contents(path, &expected, NULL, NULL));
    g_assert_cmpstr(got->str, ==, expected);
}

static void add_cases(void)
{
    g_autofree char *dir = g_test_build_filename(G_TEST_DIST, "tests/data/lower", NULL);
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    g_assert_nonnull(d);
    guint n = 0;
    for (const char *name; (name = g_dir_read_name(d)); n++) {
        if (!g_str_has_suffix(name, ".in"))
            continue;
        g_autofree char *base = g_strndup(name, strlen(name) - 3);
        g_autofree char *path = g_strconcat("/lower/", base, NULL);
        g_test_add_data_func_full(path, g_build_filename(dir, base, NULL), test_case, g_free);
    }
    g_assert_cmpuint(n, >, 10);
}

static void expect(GString *source, const char *part)
{
    gint64 start = g_get_monotonic_time();
    g_autofree char *got = describe(source->str, source->len);
    double seconds = (g_get_monotonic_time() - start) / 1e6;
    if (!strstr(got, part))
        g_error("expected \"%s\" in: %.2000s", part, got);
    g_assert_cmpfloat(seconds, <, 10); /* generous: sanitizers, loaded machines */
}

/* Base images that the target needs are asked for at the same time, others not at all; one that is
 * missing is told once. */
static void test_at_once(void)
{
    static const char good[] = "FROM a AS one\nFROM unused\nFROM a\nCOPY --from=b /x /x\n"
                               "RUN --mount=from=c,target=/c true\nFROM one\nCOPY --from=2 /x /y\n";
    static const char bad[] = "FROM missing1 AS one\nFROM missing2\nCOPY --from=one /x /x\n";
    g_autofree char *got = describe_meeting(good, strlen(good), 3);
    g_assert_nonnull(strstr(got, " of stage 3, 3 images resolved"));
    g_autofree char *lacking = describe_meeting(bad, strlen(bad), 2);
    g_assert_nonnull(strstr(lacking, "Dockerfile:2:6: error: cannot pull"));
}

static void test_bombs(void)
{
    g_autoptr(GString) doubling = g_string_new("FROM scratch\nENV A=0123456789\n");
    for (int i = 0; i < 40; i++)
        g_string_append(doubling, "ENV A=$A$A\n");
    expect(doubling, "the result is larger than 1048576 bytes");
    g_autoptr(GString) spread = g_string_new("FROM scratch\nENV A=0123456789\n");
    for (int i = 0; i < 16; i++)
        g_string_append(spread, "ENV A=$A$A\n");
    for (int i = 0; i < 5000; i++)
        g_string_append_printf(spread, "ENV B%d=$A\n", i);
    expect(spread, "the build is too large");
    g_autoptr(GString) many = g_string_new("FROM scratch\n");
    for (int i = 0; i < 10010; i++)
        g_string_append_printf(many, "ENV A%d=x\n", i);
    expect(many, "more than 10000 variables");
}

static void test_many_stages(void)
{
    for (int n = 500; n <= 8000; n *= 16) {
        g_autoptr(GString) chain = g_string_new("FROM scratch AS s0\n");
        for (int i = 1; i < n; i++)
            g_string_append_printf(chain, "FROM s%d AS s%d\nCOPY --from=s0 a /b\n", i - 1, i);
        expect(chain, n == 500 ? "result 499 of stage s499" : "the build is too large");
    }
    g_autoptr(GString) cycle = g_string_new(NULL);
    for (int i = 0; i < 2000; i++)
        g_string_append_printf(cycle, "FROM scratch AS s%d\nCOPY --from=s%d a /b\n", i,
                               (i + 1) % 2000);
    expect(cycle, "Dockerfile:2:6: error: circular dependency detected on stage: s0");
}

static void test_values(void)
{
    static const char *const good[] = {"9", "KILL", "sigterm", "SIGRTMIN+3", "RTMAX-14", "64"};
    static const char *const bad[] = {"", "0", "-1", "SIGNOPE", "RTMIN+16", "SIG", "TERM "};
    for (guint i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(signalname_valid(good[i]));
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(signalname_valid(bad[i]));
    static const char *const ports[][2] = {
        {"80", "80/tcp"},
        {"53/UDP", "53/udp"},
        {"1-3", "1/tcp 2/tcp 3/tcp"},
        {"8080:80", "80/tcp"},
        {"80/", "80/tcp"},
        {"127.0.0.1:1:2/sctp", "2/sctp"},
        {"[::1]:1:2", "2/tcp"},
        {"1-2:80", "80/tcp"},
        {"", NULL},
        {"/tcp", NULL},
        {"65536", NULL},
        {"9-5", NULL},
        {"a", NULL},
        {"80/x", NULL},
        {"x:1:2", NULL},
        {"1-3:1-2", NULL},
        {"1-2-3", NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(ports); i++) {
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
        gboolean ok = ports_parse(ports[i][0], list, NULL);
        g_ptr_array_add(list, NULL);
        g_autofree char *joined = g_strjoinv(" ", (char **)list->pdata);
        g_assert_cmpstr(ok ? joined : NULL, ==, ports[i][1]);
    }
}

/* Steps that do not depend on the platform exist once. */
static void test_one_graph(void)
{
    static const char text[] = "FROM --platform=$BUILDPLATFORM node AS build\nRUN make\n"
                               "FROM node\nRUN install\nCOPY --from=build /a /a\n";
    g_autoptr(graph) g = graph_new();
    /* per platform a base, an install and a COPY; in common base and make */
    guint expected[] = {5, 8};
    static const char *const platforms[] = {"linux/arm64", "linux/riscv64"};
    static const char *const prefixes[] = {"arm", "riscv"};
    for (guint i = 0; i < G_N_ELEMENTS(platforms); i++) {
        struct setup setup;
        setup_init(&setup, text);
        setup.o.graph = g;
        setup.o.slot_prefix = prefixes[i];
        g_assert_true(platform_parse(&setup.o.platform, platforms[i], NULL));
        g_autoptr(diags) d = diags_new();
        g_autoptr(dockerfile) df = dockerfile_parse(text, sizeof text - 1, "Dockerfile", d);
        g_autoptr(lowered) l = lower(df, &setup.o, d, NULL);
        g_assert_nonnull(l);
        g_assert_true(l->graph == g);
        g_assert_cmpstr(l->conf->platform.arch, ==, setup.o.platform.arch);
        setup_clear(&setup);
        g_assert_cmpuint(g->vertices->len, ==, expected[i]);
        g_assert_cmpstr(l->result->meta.platform, ==, platforms[i]);
        g_autofree char *slot = g_strconcat(prefixes[i], "|1/2", NULL);
        g_assert_cmpstr(l->result->meta.slot, ==, slot);
    }
    g_assert_true(graph_has_platforms(g));
    g_assert_cmpstr(((struct vertex *)g->vertices->pdata[1])->meta.platform, ==, "linux/amd64");
}

/* What is the same for two platforms is of neither; a RUN of each stays its own. */
static void test_no_platform(void)
{
    static const char text[] = "FROM scratch\nCOPY a /a\nRUN [\"/a\"]\n";
    g_autoptr(graph) g = graph_new();
    static const char *const platforms[] = {"linux/arm64", "linux/riscv64"};
    struct vertex *results[2];
    for (guint i = 0; i < G_N_ELEMENTS(platforms); i++) {
        struct setup setup;
        setup_init(&setup, text);
        setup.o.graph = g;
        g_assert_true(platform_parse(&setup.o.platform, platforms[i], NULL));
        g_autoptr(diags) d = diags_new();
        g_autoptr(dockerfile) df = dockerfile_parse(text, sizeof text - 1, "Dockerfile", d);
        g_autoptr(lowered) l = lower(df, &setup.o, d, NULL);
        g_assert_nonnull(l);
        results[i] = l->result;
        setup_clear(&setup);
    }
    g_assert_true(results[0] != results[1]);
    g_assert_cmpstr(results[0]->op.exec.platform.arch, ==, "arm64");
    g_assert_cmpstr(results[1]->op.exec.platform.arch, ==, "riscv64");
    g_assert_true(results[0]->inputs[0] == results[1]->inputs[0]);
    g_assert_null(results[0]->inputs[0]->meta.platform);
}

static void test_gotext(void)
{
    g_autoptr(GString) s = g_string_new(NULL);
    gotext_append_quoted(s, "a\"b\\c\n\t\x01\x7f\xff é\xc2\xa0\xe2\x80\xa8\xf0\x9f\x98\x80'");
    g_assert_cmpstr(s->str, ==,
                    "\"a\\\"b\\\\c\\n\\t\\x01\\x7f\\xff é\\u00a0\\u2028\xf0\x9f\x98\x80'\"");
    g_string_truncate(s, 0);
    gotext_append_rune(s, 3);
    gotext_append_rune(s, 'A');
    gotext_append_rune(s, '\'');
    gotext_append_rune(s, 0x7fffffff);
    g_assert_cmpstr(s->str, ==, "'\\x03''A''\\'''\xef\xbf\xbd'");
}

static void test_speed(void)
{
    g_autoptr(GString) s = g_string_new(NULL);
    for (int i = 0; i < 5; i++) {
        g_string_append_printf(s, "FROM node AS s%d\nARG A=1\nENV B=$A\nWORKDIR /app\n", i);
        g_string_append(
            s, "COPY package.json package-lock.json ./\nRUN --mount=type=cache,target=/c npm ci\n");
        g_string_append(s, "COPY . .\nRUN npm run build\nUSER app\nCMD [\"node\"]\n");
        if (i)
            g_string_append_printf(s, "COPY --from=s%d /app/dist ./\n", i - 1);
    }
    gint64 start = g_get_monotonic_time();
    for (int i = 0; i < 50; i++) {
        struct setup setup;
        setup_init(&setup, s->str);
        g_autoptr(diags) d = diags_new();
        g_autoptr(dockerfile) df = dockerfile_parse(s->str, s->len, "Dockerfile", d);
        g_autoptr(lowered) l = lower(df, &setup.o, d, NULL);
        g_assert_nonnull(l);
        g_assert_cmpuint(setup.fake.calls, ==, 1);
        setup_clear(&setup);
    }
    g_test_message("%.1f us to parse and lower 5 stages", (g_get_monotonic_time() - start) / 50.0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_cases();
    g_test_add_func("/lower/at-once", test_at_once);
    g_test_add_func("/lower/keys", test_keys);
    g_test_add_func("/lower/bombs", test_bombs);
    g_test_add_func("/lower/many-stages", test_many_stages);
    g_test_add_func("/lower/values", test_values);
    g_test_add_func("/lower/one-graph", test_one_graph);
    g_test_add_func("/lower/no-platform", test_no_platform);
    g_test_add_func("/lower/gotext", test_gotext);
    g_test_add_func("/lower/speed", test_speed);
    return g_test_run();
}
