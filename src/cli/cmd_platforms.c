#include "base/error.h"
#include "base/jsonset.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/report.h"
#include "cli/show.h"
#include "exec/platforms.h"
#include "ui/text.h"

struct platforms_options {
    char *format;
};
const struct option_row platforms_option_rows[] = {
    {"format", 0, OPTION_STRING, G_STRUCT_OFFSET(struct platforms_options, format), FORMAT_ARG,
     FORMAT_HELP},
    {0},
};

static const char *how_text(const struct platform_state *s)
{
    static const char *const texts[] = {
        [EMULATOR_NATIVE] = "native",       [EMULATOR_COMPAT] = "native, 32-bit",
        [EMULATOR_REGISTERED] = "emulated", [EMULATOR_OWN] = "emulated",
        [EMULATOR_PLACED] = "emulated",     [EMULATOR_NONE] = "no"};
    return s->runs ? texts[s->how.kind] : "no";
}

/* What stands in the last column: the emulator and who registered it, or why not. */
static char *about(const struct platform_state *s)
{
    const struct emulator *e = &s->how;
    if (!s->runs)
        return g_strdup(!s->fault                  ? "this CPU lacks what it needs"
                        : e->kind == EMULATOR_NONE ? e->reason
                                                   : s->fault->message);
    if (e->kind == EMULATOR_OWN)
        return g_strdup_printf("%s, registered by varve for its own steps", e->path);
    if (e->kind == EMULATOR_REGISTERED && !e->path)
        return g_strdup("by what this system has registered, which cannot be seen from here");
    if (e->kind == EMULATOR_REGISTERED || e->kind == EMULATOR_PLACED)
        return g_strdup_printf("%s, registered as %s %s flag F", e->path, e->name,
                               e->fixed ? "with" : "without");
    return NULL;
}

static json_t *platform_object(const struct platform_state *s)
{
    g_autofree char *platform = platform_text(&s->platform), *text = about(s);
    json_t *o = json_object();
    jsonset_text(o, "Platform", platform);
    json_object_set_new(o, "Runs", json_boolean(s->runs));
    jsonset_text(o, "How", how_text(s));
    jsonset_text(o, "Emulator", s->runs && s->how.kind > EMULATOR_COMPAT ? s->how.path : NULL);
    jsonset_text(o, "Registration", s->how.name);
    json_object_set_new(o, "FlagF", json_boolean(s->how.fixed));
    json_object_set_new(o, "Own", json_boolean(s->how.kind == EMULATOR_OWN));
    json_object_set_new(o, "Microseconds", json_integer(s->took_us));
    jsonset_text(o, "About", text);
    jsonset_text(o, "Next", s->fault ? error_next(s->fault) : NULL);
    return o;
}

static gboolean print_platform_objects(GPtrArray *list, struct format *f, GError **err)
{
    static const char *const optional[] = {"Emulator", "Registration", "About", "Next", NULL};
    f->optional = optional;
    for (guint i = 0; i < list->len; i++)
        if (!format_row(f, platform_object(g_ptr_array_index(list, i)), err))
            return FALSE;
    return format_end(f, NULL, err);
}

/* The next move of the first that cannot be run; another may need another one, in --format json. */
static void print_platform_table(GPtrArray *list)
{
    static const char *const heads[] = {"PLATFORM", "RUNS", "TIME", "BY", NULL};
    g_autoptr(table) t = table_new(heads, "--r-");
    const char *next = NULL;
    for (guint i = 0; i < list->len; i++) {
        const struct platform_state *s = g_ptr_array_index(list, i);
        g_autofree char *platform = platform_text(&s->platform), *text = about(s);
        g_autofree char *time = s->runs ? text_duration(s->took_us) : NULL;
        const char *cells[] = {platform, how_text(s), time, text, NULL};
        table_row(t, cells);
        if (!next && s->fault)
            next = error_next(s->fault);
    }
    table_print(t, stdout);
    if (next)
        print_next_after_list("%s", next);
}

int cmd_platforms(const struct command *c, int argc, char **argv, GError **err)
{
    struct platforms_options o = {0};
    struct format f = {0};
    if (command_begin(c, &o, &argc, &argv, 0, 0, err) && format_parse(&f, o.format, err)) {
        g_autoptr(GPtrArray) list = platforms_try();
        if (f.kind == FORMAT_TABLE)
            print_platform_table(list);
        else
            print_platform_objects(list, &f, err);
    }
    format_clear(&f);
    command_clear(c, &o);
    return 0;
}
