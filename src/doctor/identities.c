#include "doctor/probes.h"

#include <string.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "base/idmap.h"
#include "snapshot/userns.h"

/* What the kernel's settings say, for the finding: "user.max_user_namespaces 0, …". */
static char *list_settings(void)
{
    static const char *const names[] = {"user/max_user_namespaces",
                                        "kernel/unprivileged_userns_clone",
                                        "kernel/apparmor_restrict_unprivileged_userns"};
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename("/proc/sys", names[i], NULL), *text = NULL;
        g_autofree char *shown = g_strdelimit(g_strdup(names[i]), "/", '.');
        if (g_file_get_contents(path, &text, NULL, NULL))
            g_string_append_printf(out, "%s%s=%s", out->len ? ", " : "", shown, g_strstrip(text));
    }
    return g_string_free(out, FALSE);
}

/* How many ids this process's namespace has. */
static guint64 count_ids(void)
{
    g_autoptr(GArray) ids = idmap_read("uid_map");
    guint64 n = 0;
    for (guint i = 0; i < ids->len; i++)
        n += g_array_index(ids, struct id_range, i).count;
    return n;
}

static void probe_ids(GPtrArray *to, enum userns_state state)
{
    const char *user = userns_user() ? userns_user() : "$USER";
    const char *remedy = userns_ids_refused() ? container_remedy(CONTAINER_IDS) : NULL;
    guint64 n = count_ids();
    gboolean single = n <= 1;
    finding_add(to, (struct finding){
                        .name = "user ids",
                        .purpose = "files of other owners, USER, chown",
                        .state = single ? FINDING_LIMITED : FINDING_OK,
                        .found = single ? g_strdup_printf("one only: %s",
                                                          state == USERNS_SINGLE
                                                              ? userns_why_single()
                                                              : "as in the namespace around varve")
                                        : g_strdup_printf("%" G_GUINT64_FORMAT " of them", n),
                        .remedy = remedy ? g_strdup(remedy)
                                         : g_strdup_printf("install uidmap; usermod --add-subuids "
                                                           "100000-165535 --add-subgids "
                                                           "100000-165535 %s",
                                                           user)});
}

gboolean probe_user_namespace(GPtrArray *to)
{
    enum userns_state state;
    g_autoptr(GError) why = NULL;
    g_autofree char *settings = list_settings();
    struct finding f = {
        .name = "user namespace", .purpose = "building without privileges", .needed = TRUE};
    if (!userns_enter(&state, &why)) {
        f.state = FINDING_MISSING;
        g_prefix_error(&why, "%s%s", settings, *settings ? ": " : "");
        const char *remedy = container_remedy(CONTAINER_USERNS);
        finding_add_error(to, f, g_strdup(remedy), &why);
        return FALSE;
    }
    f.found = g_strdup_printf(
        "%s%s%s%s", state == USERNS_ROOT ? "not needed: varve has CAP_SYS_ADMIN" : "entered",
        *settings ? " (" : "", settings, *settings ? ")" : "");
    finding_add(to, f);
    probe_ids(to, state);
    return TRUE;
}
