/* The cases lang-*.txt of tests/bake: what the language makes of the args of target t, compared
 * with what docker buildx bake --print printed. Names are resolved here in the plainest way:
 * attributes at the top, defaults of variables (with their type), functions. */
#include "casefile.h"

#include "bake/eval.h"
#include "bake/hcljson.h"
#include "base/error.h"

#include <jansson.h>
#include <string.h>

struct named {
    const char *name;
    const struct expr *value;
    const struct expr *type; /* or NULL */
    const struct value *known;
    gboolean running;
};

struct world {
    struct hclfile *file;
    struct heap *heap;
    struct bake_scope scope;
    GArray *names;        /* struct named */
    GPtrArray *functions; /* struct function* */
};

static const struct value *call_jsonencode(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    return value_json(c->heap, args[0], out, err) ? value_take(c->heap, out) : NULL;
}

static const struct param ANY[] = {{"val", &type_any, TRUE}};
static const struct function JSONENCODE = FUNCTION("jsonencode", ANY, NULL, call_jsonencode);

static enum scope_answer world_variable(gpointer self, struct eval *ev, const struct expr *t,
                                        guint *used, const struct value **v, GError **err)
{
    struct world *w = self;
    for (guint i = w->names->len; i-- > 0;) {
        struct named *n = &g_array_index(w->names, struct named, i);
        if (strcmp(n->name, t->name) != 0)
            continue;
        if (n->running) {
            error_set(err, VARVE_ERROR_INVALID, "%s needs itself", n->name);
            return SCOPE_FAILED;
        }
        n->running = TRUE;
        const struct type *type = n->type ? expr_type(w->heap, n->type, &ev->at, err) : &type_any;
        if (!n->known && type)
            n->known = bake_eval_as(ev, n->value, &w->scope, type, err);
        n->running = FALSE;
        return (*v = n->known) ? SCOPE_FOUND : SCOPE_FAILED;
    }
    return SCOPE_UNKNOWN;
}

static enum scope_answer world_function(gpointer self, struct eval *ev, const char *name,
                                        const struct function **f, GError **err)
{
    struct world *w = self;
    for (guint i = 0; i < w->functions->len; i++) {
        *f = g_ptr_array_index(w->functions, i);
        if (strcmp((*f)->name, name) == 0)
            return SCOPE_FOUND;
    }
    *f = &JSONENCODE;
    return strcmp(name, "jsonencode") == 0 ? SCOPE_FOUND : SCOPE_UNKNOWN;
}

static void world_names(gpointer self, GPtrArray *variables, GPtrArray *functions)
{
    struct world *w = self;
    for (guint i = 0; i < w->names->len; i++)
        g_ptr_array_add(variables, (gpointer)g_array_index(w->names, struct named, i).name);
    g_ptr_array_add(functions, (gpointer)JSONENCODE.name);
}

static void add_function(struct world *w, const struct block *b)
{
    struct user_function *u = heap_alloc(w->heap, sizeof(*u));
    struct function *f = heap_alloc(w->heap, sizeof(*f));
    const struct attribute *params = body_attribute(b->body, "params");
    const struct attribute *variadic = body_attribute(b->body, "variadic_params");
    guint n = 0;
    const struct expr *const *list = params ? expr_list(params->value, &n) : NULL;
    const char **names = heap_array(w->heap, const char *, n);
    for (guint i = 0; i < n; i++)
        names[i] = expr_keyword(list[i]);
    *u = (struct user_function){names, n, variadic ? expr_keyword(variadic->value) : NULL,
                                body_attribute(b->body, "result")->value, &w->scope};
    *f = (struct function){.name = b->labels[0].text, .user = u};
    g_ptr_array_add(w->functions, f);
}

static void add_blocks(struct world *w)
{
    const struct body *body = w->file->body;
    for (guint i = 0; i < body->n_attributes; i++) {
        struct named n = {.name = body->attributes[i].name, .value = body->attributes[i].value};
        g_array_append_val(w->names, n);
    }
    for (guint i = 0; i < body->n_blocks; i++) {
        const struct block *b = &body->blocks[i];
        if (strcmp(b->type, "function") == 0)
            add_function(w, b);
        if (strcmp(b->type, "variable") != 0)
            continue;
        const struct attribute *type = body_attribute(b->body, "type");
        struct named n = {.name = b->labels[0].text,
                          .value = body_attribute(b->body, "default")->value,
                          .type = type ? type->value : NULL};
        g_array_append_val(w->names, n);
    }
}

/* The arguments of target t, or NULL with ev->at. */
static const struct value *world_args(struct world *w, struct eval *ev, GError **err)
{
    const struct body *body = w->file->body;
    for (guint i = 0; i < body->n_blocks; i++) {
        const struct block *b = &body->blocks[i];
        if (strcmp(b->type, "target") == 0)
            return bake_eval_as(ev, body_attribute(b->body, "args")->value, &w->scope,
                                &type_map_string, err);
    }
    g_assert_not_reached();
}

static const struct block_schema VALIDATION[] = {{"validation", 0, NULL}, {0}};
static const struct block_schema SCHEMA[] = {{"target", 1, NULL},
                                             {"group", 1, NULL},
                                             {"function", 1, NULL},
                                             {"variable", 1, VALIDATION},
                                             {0}};

static struct hclfile *case_parse(const struct section *s)
{
    if (g_str_has_suffix(s->argument, ".json"))
        return hcljson_parse(s->argument, s->text->str, s->text->len, SCHEMA);
    return hclfile_parse(s->argument, s->text->str, s->text->len);
}

/* Errors are in w->file->diags then. */
static const struct value *world_run(struct world *w)
{
    g_autoptr(GError) err = NULL;
    struct eval ev = {.heap = w->heap};
    if (diags_has_errors(w->file->diags))
        return NULL;
    add_blocks(w);
    w->scope = (struct bake_scope){
        .self = w, .variable = world_variable, .function = world_function, .names = world_names};
    const struct value *v = world_args(w, &ev, &err);
    g_assert_true((v == NULL) == (err != NULL));
    if (!v) {
        g_assert_nonnull(ev.at.file);
        diags_gerror(w->file->diags, ev.at.span, err);
    }
    return v;
}

/* What --print writes for "${" and "%{", undone. */
static char *unprinted(const char *s)
{
    g_autoptr(GString) out = g_string_new(s);
    g_string_replace(out, "$${", "${", 0);
    g_string_replace(out, "%%{", "%{", 0);
    return g_strdup(out->str);
}

static void compare_args(const struct value *v, const struct section *expect)
{
    json_t *root = json_loads(expect->text->str, 0, NULL);
    json_t *args = json_object_get(json_object_get(json_object_get(root, "target"), "t"), "args");
    guint n = 0;
    g_assert_nonnull(root);
    for (guint i = 0; i < v->n; i++) {
        json_t *wanted = json_object_get(args, v->keys[i].bytes);
        const char *got = v->items[i]->null ? NULL : v->items[i]->text.bytes;
        g_autofree char *plain = wanted ? unprinted(json_string_value(wanted)) : NULL;
        n += got != NULL;
        if (g_strcmp0(plain, got) != 0)
            g_test_message("%s is %s, not %s", v->keys[i].bytes, got ? got : "unset",
                           plain ? plain : "unset");
        if (g_strcmp0(plain, got) != 0)
            g_test_fail();
    }
    g_assert_cmpuint(json_object_size(args), ==, n);
    json_decref(root);
}

static void compare_error(struct diags *d, const struct section *says)
{
    g_autofree char *text = diags_render(d, 0);
    g_auto(GStrv) lines = g_strsplit(says ? says->text->str : "", "\n", -1);
    g_test_message("%s", text);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    for (char **line = lines; *line; line++)
        if (!strstr(text, *line)) {
            g_test_message("does not say: %s", *line);
            g_test_fail();
        }
}

static void test_case(gconstpointer path)
{
    g_autoptr(GPtrArray) sections = casefile_read(path);
    const struct section *expect = casefile_section(sections, "expect");
    struct world w = {.file = case_parse(casefile_section(sections, "file")),
                      .heap = heap_new(),
                      .names = g_array_new(FALSE, TRUE, sizeof(struct named)),
                      .functions = g_ptr_array_new()};
    const struct value *v = world_run(&w);
    if (!v && expect) {
        compare_error(w.file->diags, NULL);
        g_test_fail();
    } else if (v && !expect) {
        g_test_message("this should fail");
        g_test_fail();
    } else if (v) {
        compare_args(v, expect);
    } else {
        compare_error(w.file->diags, casefile_section(sections, "says"));
    }
    g_array_unref(w.names);
    g_ptr_array_unref(w.functions);
    heap_free(w.heap);
    hclfile_free(w.file);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "tests", "bake", "cases", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_nonnull(dir);
    for (const char *name; (name = g_dir_read_name(dir));) {
        if (!g_str_has_prefix(name, "lang-"))
            continue;
        g_autofree char *test = g_strconcat("/bake/", name, NULL);
        g_test_add_data_func_full(test, g_build_filename(folder, name, NULL), test_case, g_free);
    }
    return g_test_run();
}
