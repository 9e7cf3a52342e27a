#include "base/container.h"
#include "base/error.h"
#include "base/jsonset.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/root.h"
#include "doctor/doctor.h"
#include "ui/text.h"

struct doctor_flags {
    gboolean json;
};
const struct option_row doctor_option_rows[] = {
    {"json", 0, OPTION_FLAG, G_STRUCT_OFFSET(struct doctor_flags, json), NULL,
     "print one JSON object"},
    {0},
};

static const char *const state_words[] = {"ok", "limited", "missing"};

static json_t *finding_object(const struct finding *f)
{
    json_t *o = json_object();
    jsonset_text(o, "name", f->name);
    jsonset_text(o, "state", state_words[f->state]);
    jsonset_true(o, "needed", f->needed);
    jsonset_text(o, "found", f->found);
    jsonset_text(o, "purpose", f->purpose);
    jsonset_text(o, "remedy", f->remedy);
    return o;
}

static void print_json(const GPtrArray *findings)
{
    json_t *o = json_object(), *list = json_array();
    json_object_set_new(o, "ok", json_boolean(doctor_builds_run(findings)));
    jsonset_text(o, "container", container_name());
    for (guint i = 0; i < findings->len; i++)
        json_array_append_new(list, finding_object(findings->pdata[i]));
    json_object_set_new(o, "findings", list);
    char *text = json_dumps(o, JSON_INDENT(2));
    printf("%s\n", text);
    free(text);
    json_decref(o);
}

static void print_finding(const struct finding *f)
{
    static const enum text_style styles[] = {STYLE_GREEN, STYLE_YELLOW, STYLE_RED};
    g_autofree char *padded = g_strdup_printf("%-7s", state_words[f->state]);
    g_autofree char *state = text_styled(padded, styles[f->state], text_colours(stdout));
    g_autofree char *found = report_safe(f->found ? f->found : "");
    printf("%s  %-14s  %s   (%s)\n", state, f->name, found, f->purpose);
    if (f->remedy)
        printf("%*s  %-14s  next: %s\n", 7, "", "", g_strdelimit(f->remedy, "\n", ';'));
}

static int examine(const struct doctor_flags *flags)
{
    const struct doctor_options o = {.root = root_path(), .ca_file = g_getenv("SSL_CERT_FILE")};
    g_autoptr(GPtrArray) findings = doctor_examine(&o);
    gboolean run = doctor_builds_run(findings);
    if (flags->json) {
        print_json(findings);
        return run ? 0 : 1;
    }
    for (guint i = 0; i < findings->len; i++)
        print_finding(findings->pdata[i]);
    printf("%s\n", run ? "builds can run" : "builds cannot run: see what is missing");
    return run ? 0 : 1;
}

int cmd_doctor(const struct command *c, int argc, char **argv, GError **err)
{
    struct doctor_flags flags = {0};
    int code = 0;
    if (command_begin(c, &flags, &argc, &argv, 0, 0, err))
        code = examine(&flags);
    command_clear(c, &flags);
    return code;
}
