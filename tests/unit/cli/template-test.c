#include "cli/template.h"

#include "base/error.h"

#include <string.h>

/* What templates make of this. */
static const char document[] =
    "{'Id': 'sha256:0123456789abcdef', 'Os': 'linux', 'Size': 1234, 'Ratio': 0.5, 'Whole': 2.0, "
    "'Done': true,"
    " 'Nothing': null, 'RepoTags': ['app:1', 'app:2'], 'RepoDigests': [],"
    " 'Config': {'Env': ['PATH=/bin', 'A=b c'], 'Cmd': ['echo', 'hi'], 'User': '', 'Labels': "
    "{'b.c': 'x', 'a': 'y'},"
    "            'ExposedPorts': {'80/tcp': {}}, 'Deep': [{'N': 1}, {'N': 2}]}}";

struct example {
    const char *text, *output; /* for an error: its words */
};

static const struct example renders[] = {
    {"", ""},
    {"plain } text", "plain } text"},
    {"{{.Os}}", "linux"},
    {"{{ .Os }}-{{.Size}}", "linux-1234"},
    {"{{.Ratio}} {{.Whole}} {{.Done}} {{.Nothing}}", "0.5 2 true <nil>"},
    {"{{.Config.Cmd}}", "[echo hi]"},
    {"{{.Config.Labels}}", "map[a:y b.c:x]"},
    {"{{.Config.ExposedPorts}}", "map[80/tcp:map[]]"},
    {"{{.Config.Labels.a}} {{.Config.Labels.none}}", "y <no value>"},
    {"{{json .Config.Cmd}}", "[\"echo\",\"hi\"]"},
    {"{{.Config.Cmd | json}}", "[\"echo\",\"hi\"]"},
    {"{{json .Config.Labels}}", "{\"a\":\"y\",\"b.c\":\"x\"}"},
    {"{{json .Os}} {{json .Nothing}}", "\"linux\" null"},
    {"{{index .Config.Env 0}}", "PATH=/bin"},
    {"{{index .Config.Labels \"b.c\"}}", "x"},
    {"{{index .Config.Labels `b.c`}}", "x"},
    {"[{{index .Config.Labels \"none\"}}]", "[]"},
    {"{{index .Config \"Env\" 1}}", "A=b c"},
    {"{{(index .Config.Deep 1).N}}", "2"},
    {"{{range .Config.Env}}{{.}};{{end}}", "PATH=/bin;A=b c;"},
    {"{{range .Config.Env}}{{println .}}{{end}}", "PATH=/bin\nA=b c\n"},
    {"{{range $i, $e := .Config.Env}}{{$i}}={{$e}} {{end}}", "0=PATH=/bin 1=A=b c "},
    {"{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}{{println}}{{end}}", "a=y\nb.c=x\n"},
    {"{{range $e := .RepoTags}}{{$e}},{{end}}", "app:1,app:2,"},
    {"{{range .RepoDigests}}x{{else}}none{{end}}", "none"},
    {"{{range .Nothing}}x{{end}}", ""},
    {"{{range .Config.Deep}}{{.N}}{{$.Os}}{{end}}", "1linux2linux"},
    {"{{range $p, $c := .Config.ExposedPorts}}{{$p}}{{end}}", "80/tcp"},
    {"{{if .RepoDigests}}yes{{else}}no{{end}}", "no"},
    {"{{if .Config.User}}{{.Config.User}}{{else if .Done}}done{{else}}no{{end}}", "done"},
    {"{{if .Config.Labels.none}}x{{end}}", ""},
    {"{{if eq .Os \"linux\"}}l{{end}}{{if ne .Os \"linux\"}}x{{end}}", "l"},
    {"{{if eq .Os \"a\" \"linux\"}}any{{end}}", "any"},
    {"{{if and .RepoDigests (index .RepoDigests 0)}}x{{else}}guarded{{end}}", "guarded"},
    {"{{or .Config.User \"root\"}}", "root"},
    {"{{not .Done}} {{and true .Os}}", "false linux"},
    {"{{gt .Size 1000}} {{lt .Size 1000}} {{le 2 2}} {{ge 1 2}} {{lt .Ratio .Whole}}",
     "true false true false true"},
    {"{{with .Config}}{{.Cmd}}{{end}}", "[echo hi]"},
    {"{{with $c := .Config}}{{$c.Cmd}}{{end}}", "[echo hi]"},
    {"{{with .RepoDigests}}x{{else}}{{.Os}}{{end}}", "linux"},
    {"{{len .RepoTags}} {{len .Os}} {{len .Config.Labels}} {{len .Nothing}}", "2 5 2 0"},
    {"{{join .RepoTags \", \"}}", "app:1, app:2"},
    {"{{join .RepoDigests \",\"}}", ""},
    {"{{split .Os \"n\"}} {{index (split .Id \":\") 1}}", "[li ux] 0123456789abcdef"},
    {"{{upper .Os}} {{.Os | upper | lower}} {{title .Os}}", "LINUX linux Linux"},
    {"{{slice .Id 7 11}} {{slice .RepoTags 1}} {{truncate .Os 3}} {{truncate .Os 9}}",
     "0123 [app:2] lin linux"},
    {"[{{pad .Os 1 2}}{{pad .Config.User 1 2}}]", "[ linux  ]"},
    {"{{print .Os .Size}} {{print 1 2}} {{print \"a\" \"b\"}}", "linux1234 1 2 ab"},
    {"{{println .Os .Size}}", "linux 1234\n"},
    {"{{printf \"%s/%d %v %q %t %5.1f|%-7s|%7s|%.3s|%04d%%\" .Os .Size .Done .Os .Done .Ratio .Os "
     ".Os .Os 7}}",
     "linux/1234 true \"linux\" true   0.5|linux  |  linux|lin|0007%"},
    {"{{.Os | printf \"%s-%s\" \"a\"}}", "a-linux"},
    {"{{$x := .Os}}{{$x}}{{$x = \"b\"}}{{$x}}", "linuxb"},
    {"{{$n := 0}}{{range .RepoTags}}{{$n = .}}{{end}}{{$n}}", "app:2"},
    {"{{\"a\\tb\\n\\\"\"}}{{`c\\n`}}", "a\tb\n\"c\\n"},
    {"a {{- .Os -}} \n b", "alinuxb"},
    {"a{{/* nothing */}}b {{- /* more */ -}} c", "abc"},
    {"{{-3}}", "-3"},
    {"{{true}} {{nil}}", "true <nil>"},
    {"{{json $}}{{with .Os}}{{len $.RepoTags}}{{end}}", NULL},
    {"{{.}}", NULL},
};

static const struct example usage[] = {
    {"ab{{.Os", "at character 8: {{ is not closed"},
    {"{{", "this is empty"},
    {"{{}}", "this is empty"},
    {"{{if .Os}}x", "at character 3, \"if .Os\": the block has no {{end}}"},
    {"x{{end}}", "this {{end}} has no block to end"},
    {"{{else}}", "this {{else}} belongs to no block"},
    {"{{if .Os}}a{{else}}b{{else}}c{{end}}", "a second else"},
    {"äö{{foo .Os}}", "at character 5, \"foo .Os\": there is no function foo"},
    {"{{jsn .Os}}", "there is no function jsn; did you mean json?"},
    {"{{Os}}", "there is no function Os"},
    {"{{.Os .Size}}", "only functions take arguments"},
    {"{{.Os | .Size}}", "expected a function after |"},
    {"{{.Os |}}", "expected a function after |"},
    {"{{json}}", "wrong number of arguments"},
    {"{{json .Os .Os}}", "wrong number of arguments"},
    {"{{index .Env 0x}}", "not a whole number"},
    {"{{\"abc}}", "the string is not closed"},
    {"{{/* abc}}", "the comment is not closed"},
    {"{{(json .Os}}", "expected )"},
    {"{{.Os)}}", "expected }}"},
    {"{{json .Os\"a\"}}", "a space is missing here"},
    {"{{print len .Os}}", "put a call used as an argument in brackets"},
    {"{{$x}}", "there is no such variable"},
    {"{{$x = 1}}", "is not declared; declare it with :="},
    {"{{if true}}{{$x := 1}}{{end}}{{$x}}", "there is no such variable"},
    {"{{$a, $b := .Os}}", "only range can set two variables"},
    {"{{template \"x\"}}", "not supported"},
    {"{{range .Config.Env}}{{break}}{{end}}", "not supported"},
    {"{{range .Os}}{{end}}", "range needs a list or an object"},
    {"{{upper .Size}}", "needs a string"},
    {"{{join .Os \",\"}}", "join needs a list and a string"},
    {"{{index .RepoTags \"a\"}}", "the index of a list must be a number"},
    {"{{index .Os 0}}", "index needs a list or an object"},
    {"{{eq .Os .Size}}", "cannot be compared"},
    {"{{lt .Done .Done}}", "cannot be compared"},
    {"{{printf \"%s %s\" .Os}}", "more %… than arguments"},
    {"{{printf \"%\" .Os}}", "malformed %…"},
    {"{{printf \"%s\" .Size}}", "%s takes a string"},
    {"{{printf \"%99999d\" .Size}}", "malformed %…"},
    {"{{range .RepoDigests}}{{foo}}{{end}}", "there is no function foo"},
};

static const struct example missing[] = {
    {"{{.Oss}}", "at character 3, \".Oss\": there is no field Oss; did you mean Os?"},
    {"{{.Oss}}", "next: the fields here are Config, Done, Id, Nothing, Os,"},
    {"{{.Config.Usr}}", "the fields here are Cmd, Deep, Env"},
    {"{{if .Oss}}{{end}}", "there is no field Oss"},
    {"{{.Os.Name}}", "the value before it is a string"},
    {"{{.Nothing.Name}}", "the value before it is empty"},
    {"{{index .RepoDigests 0}}", "the list is empty"},
    {"{{index .RepoTags 2}}", "the list is shorter than that"},
    {"{{index .RepoTags -1}}", "the list is shorter than that"},
    {"{{slice .Os 9}}", "it is shorter than that"},
    {"{{slice .Os 3 1}}", "it is shorter than that"},
};

static const struct example heads[] = {
    {"{{.ID}}\t{{.CreatedAt}}", "ID\tCREATED AT"},
    {"{{.CreatedSince}}", "CREATED"},
    {"{{upper .Os}} {{json .Size}} {{.Os | lower}} {{truncate .Os 1}}", "OS SIZE OS OS"},
    {"{{.Config.Env}} {{index .Config.Labels \"a\"}}", "ENV LABELS"},
    {"{{range .Ports}}{{.Name}} {{end}}", "NAME "},
    {"{{if eq .Os \"linux\"}}{{.Os}}{{end}}", "OS"},
    {"{{printf \"%s:%s\" .Repository .Tag}}", "REPOSITORY:TAG"},
};

static json_t *parse_document(void)
{
    g_autofree char *text = g_strdelimit(g_strdup(document), "'", '"');
    json_t *doc = json_loads(text, 0, NULL);
    g_assert_nonnull(doc);
    return doc;
}

static void test_renders(void)
{
    json_auto_t *doc = parse_document();
    for (guint i = 0; i < G_N_ELEMENTS(renders); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(template) t = template_new(renders[i].text, &err);
        g_assert_no_error(err);
        g_autofree char *out = template_render(t, doc, &err);
        g_assert_no_error(err);
        g_test_message("%s", renders[i].text);
        if (renders[i].output)
            g_assert_cmpstr(out, ==, renders[i].output);
    }
}

static void fails(const struct example *e, guint n, enum varve_error code)
{
    json_auto_t *doc = parse_document();
    for (guint i = 0; i < n; i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(template) t = template_new(e[i].text, &err);
        g_autofree char *out = t ? template_render(t, doc, &err) : NULL;
        g_autofree char *text = err ? error_text(err) : g_strdup(out);
        g_test_message("%.60s: %.200s", e[i].text, text);
        g_assert_error(err, VARVE_ERROR, (int)code);
        g_assert_null(out);
        g_assert_nonnull(strstr(text, e[i].output));
        g_assert_nonnull(error_next(err));
    }
}

static void test_usage(void)
{
    fails(usage, G_N_ELEMENTS(usage), VARVE_ERROR_USAGE);
}

static void test_missing(void)
{
    fails(missing, G_N_ELEMENTS(missing), VARVE_ERROR_NOT_FOUND);
}

static void test_heads(void)
{
    static const char *const special[][2] = {{"CreatedSince", "CREATED"}, {NULL, NULL}};
    for (guint i = 0; i < G_N_ELEMENTS(heads); i++) {
        g_autoptr(template) t = template_new(heads[i].text, NULL);
        g_autofree char *out = template_heads(t, special, NULL);
        g_assert_cmpstr(out, ==, heads[i].output);
    }
}

/* Each stays below the limits of memory and time. */
static void test_limits(void)
{
    g_autoptr(GString) twice = g_string_new("{{$x := \"0123456789\"}}");
    g_autoptr(GString) deep = g_string_new(NULL);
    g_autoptr(GString) loops = g_string_new(NULL);
    for (guint i = 0; i < 60; i++)
        g_string_append(twice, "{{$x = print $x $x}}");
    for (guint i = 0; i < 10000; i++)
        g_string_append(deep, i ? "(" : "{{");
    for (guint i = 0; i < 30; i++)
        g_string_append(loops, "{{range $.RepoTags}}");
    for (guint i = 0; i < 30; i++)
        g_string_append(loops, "{{end}}");
    g_autofree char *long_text = g_strnfill(TEMPLATE_MAX_TEXT + 1, 'x');
    const struct example cases[] = {{twice->str, "too long"},
                                    {deep->str, "nested too deeply"},
                                    {loops->str, "makes too much output"},
                                    {long_text, "the template is too long"}};
    fails(cases, G_N_ELEMENTS(cases), VARVE_ERROR_USAGE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/template/renders", test_renders);
    g_test_add_func("/template/usage", test_usage);
    g_test_add_func("/template/missing", test_missing);
    g_test_add_func("/template/heads", test_heads);
    g_test_add_func("/template/limits", test_limits);
    return g_test_run();
}
