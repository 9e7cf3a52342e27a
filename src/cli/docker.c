#include "cli/docker.h"

#include "cli/command.h"

#include <string.h>

/* Words of Docker that mean exactly what these of varve mean. A row whose command varve does not
 * have is passed over. */
static const struct {
    const char *noun, *verb; /* "image", "ls" */
    const char *command;     /* varve's */
} same[] = {
    {"image", "ls", "images"},       {"image", "list", "images"},
    {"image", "build", "build"},     {"image", "history", "history"},
    {"image", "inspect", "inspect"}, {"image", "load", "load"},
    {"image", "pull", "pull"},       {"image", "push", "push"},
    {"image", "rm", "rmi"},          {"image", "remove", "rmi"},
    {"image", "save", "save"},       {"image", "tag", "tag"},
    {"builder", "build", "build"},   {"buildx", "build", "build"},
    {"buildx", "b", "build"},        {"container", "attach", "attach"},
    {"container", "cp", "cp"},       {"container", "exec", "exec"},
    {"container", "kill", "kill"},   {"container", "list", "ps"},
    {"container", "logs", "logs"},   {"container", "ls", "ps"},
    {"container", "ps", "ps"},       {"container", "rm", "rm"},
    {"container", "run", "run"},     {"container", "stop", "stop"},
    {"container", "wait", "wait"},   {"system", "df", "du"},
};

/* Where nothing is the same, or not quite. NULL as the verb: any other of this noun. */
static const struct {
    const char *noun, *verb, *advice;
} advice[] = {
    {"system", "prune", "varve prune removes untagged images; varve prune --all the cache too"},
    {"system", "info", "varve version shows the version and the store; varve du what is in it"},
    {"image", "prune", "varve prune removes untagged images and what only they need"},
    {"builder", "prune", "varve prune --all removes the build cache"},
    {"buildx", "prune", "varve prune --all removes the build cache"},
    {"buildx", "du", "varve du shows what the store holds"},
    {"buildx", "history",
     "varve history lists builds, varve history N the steps of one, varve logs N its output"},
    {"buildx", "bake", "build one target at a time: varve build --target STAGE -t NAME ."},
    {"buildx", "imagetools", "varve pull NAME, then varve inspect NAME"},
    {"buildx", NULL, "there are no builders to manage: varve build does the work itself"},
    {"builder", NULL, "there are no builders to manage: varve build does the work itself"},
    {"volume", "ls", "varve prune --volumes=all --dry-run lists the unused volumes"},
    {"volume", "list", "varve prune --volumes=all --dry-run lists the unused volumes"},
    {"volume", "rm", "varve prune --volumes=NAME removes a volume"},
    {"volume", "prune", "varve prune --volumes=all removes all unused volumes"},
    {"volume", NULL, "varve run -v NAME:/path makes a volume at its first use"},
    {"manifest", NULL, "varve pull NAME, then varve inspect NAME"},
    {"image", NULL, "varve --help lists the commands for images"},
    {"system", NULL, "varve --help lists the commands"},
    {"container", "prune", "varve prune removes the logs and exit codes of ended runs too"},
    {"container", "inspect", "varve ps -a --format json shows what is known of runs"},
    {"container", NULL, "varve run starts an image; varve --help lists the commands"},
    {NULL, "info", "varve version shows the version and the store; varve du what is in it"},
    {NULL, "search",
     "varve does not search registries: look at the registry's page, then varve pull NAME"},
    {NULL, "cp", "varve build -o type=local,dest=DIR writes files of an image"},
    {NULL, "create", "varve run starts an image at once"},
    {NULL, "start", "varve run starts an image"},
    {NULL, "restart", "varve stop it, then varve run it again"},
    {NULL, "attach", "varve logs -f RUN follows its output; varve exec -it RUN sh joins it"},
    {NULL, "commit", "write the change as a RUN step and varve build it"},
    {NULL, "diff", "varve layers IMAGE shows what a build changed; what a run writes is not kept"},
    {NULL, "pause", "a run cannot be paused: varve stop it, and varve run it again"},
    {NULL, "unpause", "a run cannot be paused: varve stop it, and varve run it again"},
    {NULL, "rename", "varve run --name NAME names a run when it starts"},
    {NULL, "update", "varve stop it, then varve run it again with other limits"},
    {NULL, "port", "varve run -p HOST:PORT publishes a port; its command line says which"},
    {NULL, "plugin", "varve has no plugins; varve --help lists the commands"},
    {NULL, "trust", "name an image by its digest: varve pull NAME@sha256:..."},
    {NULL, "scout", "varve build --check looks at a Dockerfile; varve layers IMAGE at an image"},
    {NULL, "export", "varve build -o type=tar,dest=FILE writes the files of an image"},
    {NULL, "import", "varve build a Dockerfile with FROM scratch and ADD FILE.tar /"},
    {NULL, "compose", "varve build and varve run one image at a time"},
    {NULL, "bake", "build one target at a time: varve build --target STAGE -t NAME ."},
    {NULL, "network", "varve run --help shows what --network takes"},
    {NULL, "context", "varve works on this machine only; --root DIR chooses the store"},
    {NULL, "events", "varve build --progress=rawjson reports what happens as it happens"},
    {NULL, "stats", "varve ps shows the process ids: top -p PID, or systemd-cgtop"},
    {NULL, "top", "use ps or top: programs of varve run are ordinary processes"},
};

static gboolean is_at(const char *noun, const char *verb, char **argv)
{
    if (!noun)
        return g_str_equal(argv[0], verb);
    return g_str_equal(argv[0], noun) && (!verb || g_strcmp0(argv[1], verb) == 0);
}

char **docker_translate(const struct command *table, char **argv)
{
    for (guint i = 0; i < G_N_ELEMENTS(same); i++) {
        if (!is_at(same[i].noun, same[i].verb, argv) || !command_find(table, same[i].command))
            continue;
        GPtrArray *out = g_ptr_array_new();
        g_ptr_array_add(out, (gpointer)same[i].command);
        for (char **rest = argv + 2; *rest; rest++)
            g_ptr_array_add(out, *rest);
        g_ptr_array_add(out, NULL);
        return (char **)g_ptr_array_free(out, FALSE);
    }
    return NULL;
}

const char *docker_advice(char **argv)
{
    for (guint i = 0; i < G_N_ELEMENTS(advice); i++)
        if (is_at(advice[i].noun, advice[i].verb, argv))
            return advice[i].advice;
    return NULL;
}

gboolean docker_is_noun(const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(advice); i++)
        if (advice[i].noun && g_str_equal(advice[i].noun, word))
            return TRUE;
    return FALSE;
}
