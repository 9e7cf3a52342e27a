#include "cli/build_shown.h"

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/root.h"

static void show_findings(gpointer progress, const struct lint_report *r, const struct diags *d)
{
    progress_findings(progress, r, d);
}

struct session *shown_session(char **env)
{
    const struct session_options so = {
        .env = env, .root = root_path(), .config_file = g_environ_getenv(env, "VARVE_CONFIG")};
    return session_new(&so);
}

struct build_ports shown_ports(struct progress *p)
{
    return (struct build_ports){.events = progress_sink(p),
                                .cancel = interrupt_watch(),
                                .findings = show_findings,
                                .ctx = p};
}

void shown_init(struct shown_build *b, const struct build_options *o)
{
    g_auto(GStrv) env = g_get_environ();
    g_autofree char *title = build_title(o->request);
    gboolean quiet = o->request->call != CALL_BUILD;
    *b = (struct shown_build){.o = o, .r = o->request, .session = shown_session(env)};
    b->progress = progress_new(stderr, quiet ? PROGRESS_QUIET : o->progress, title);
    const struct build_ports ports = shown_ports(b->progress);
    b->build = build_new(o->request, b->session, &ports);
    b->res = build_result(b->build);
}

void shown_clear(struct shown_build *b)
{
    build_free(b->build);
    progress_free(b->progress);
    session_free(b->session);
}

static int call_with(struct shown_build *b)
{
    GError *local = NULL;
    int code = build_call(b, &local);
    if (local)
        code = build_report_failure(b, local);
    g_clear_error(&local);
    return code;
}

static int build_with(struct shown_build *b)
{
    GError *local = NULL;
    int code = 0;
    build_drop_stale_id(b);
    if (build_run(b->build, &local) && build_write_files(b, &local))
        build_report_success(b);
    else
        code = build_report_failure(b, local);
    if (b->res->network)
        report_note("%s", b->res->network);
    build_write_summary(b, local);
    build_record(b->build, local);
    if (local)
        build_offer_debug(b);
    g_clear_error(&local);
    return code;
}

static int show(const struct build_options *o)
{
    struct shown_build b;
    shown_init(&b, o);
    int code = o->request->call == CALL_BUILD ? build_with(&b) : call_with(&b);
    shown_clear(&b);
    return code;
}

int cmd_build(const struct command *c, int argc, char **argv, GError **err)
{
    g_auto(GStrv) words = g_strdupv(argv + 1);
    struct build_options o = {.words = words};
    int code = 0;
    if (command_parse(c, &o, &argc, &argv, err) && build_options_finish(&o, argc, argv, err))
        code = show(&o);
    build_options_clear(&o);
    command_clear(c, &o);
    return code;
}
