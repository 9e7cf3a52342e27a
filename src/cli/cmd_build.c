#include "cli/build.h"

#include "cli/interrupt.h"
#include "cli/report.h"

static int call_with(const struct build_options *o)
{
    struct build b = {.o = o, .cancel = interrupt_watch()};
    GError *local = NULL;
    int code = build_call(&b, &local);
    if (local)
        code = build_report_failure(&b, local);
    g_clear_error(&local);
    build_clear(&b);
    return code;
}

static int build_with(const struct build_options *o)
{
    struct build b = {.o = o, .cancel = interrupt_watch()};
    GError *local = NULL;
    int code = 0;
    if (build_run(&b, &local))
        build_report_success(&b);
    else
        code = build_report_failure(&b, local);
    if (b.nets)
        report_network(b.nets);
    build_record(&b, local);
    if (local)
        build_debug(&b);
    g_clear_error(&local);
    build_clear(&b);
    return code;
}

int cmd_build(const struct command *c, int argc, char **argv, GError **err)
{
    g_auto(GStrv) words = g_strdupv(argv + 1);
    struct build_options o = {.words = words};
    int code = 0;
    if (command_parse(c, &o, &argc, &argv, err) && build_options_finish(&o, argc, argv, err))
        code = o.call == CALL_BUILD ? build_with(&o) : call_with(&o);
    build_options_clear(&o);
    command_clear(c, &o);
    return code;
}
