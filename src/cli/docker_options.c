#include "cli/docker.h"

#include <string.h>

#define ONLY_DEFAULT_RIGHTS                                                                        \
    "leave it out: programs always have Docker's default rights; "                                 \
    "varve exec --privileged RUN COMMAND has more, inside a run"
#define NO_DEVICES "runs cannot use devices of this machine: use another engine for this program"
#define NO_NETWORKS                                                                                \
    "runs share no networks: -p HOST:PORT publishes a port, and --add-host "                       \
    "NAME:host-gateway lets another run reach it"
#define OWN_NAMESPACES "leave it out: each run has namespaces of its own"
#define OTHER_LIMITS                                                                               \
    "the limits are -m, --cpus, --cpu-shares, --cpuset-cpus and --ulimit; systemd-run "            \
    "varve run … sets more"
#define OWN_LOG "leave it out: varve keeps the log of run -d itself, and varve logs shows it"
#define LOG_TIMES "logs of runs have no times: varve logs -n N RUN shows the last lines"
#define EACH_TAG "name each tag: NAME:TAG"
#define LOCAL_ONLY "varve works on this machine only: leave it out"

/* Docker's options that varve's command of the same name lacks. */
static const struct {
    const char *command; /* NULL: before the command */
    const char *name;
    char letter; /* 0: none */
    const char *advice;
} missing[] = {
    {NULL, "host", 'H', LOCAL_ONLY},
    {NULL, "context", 'c', LOCAL_ONLY "; --root DIR chooses the store"},
    {NULL, "config", 0, "DOCKER_CONFIG names the folder of config.json"},
    {NULL, "debug", 'D', "leave it out: errors are always shown in full"},
    {NULL, "log-level", 'l', "leave it out: errors are always shown in full"},
    {NULL, "tls", 0, LOCAL_ONLY},
    {NULL, "tlsverify", 0, LOCAL_ONLY},
    {"run", "attach", 'a', "leave it out: without -d the output is shown; -i passes stdin on"},
    {"run", "blkio-weight", 0, OTHER_LIMITS},
    {"run", "cap-add", 0, ONLY_DEFAULT_RIGHTS},
    {"run", "cap-drop", 0, "leave it out; -u USER runs the program without any capability"},
    {"run", "cgroup-parent", 0, "leave it out; systemd-run --slice=NAME varve run … puts it there"},
    {"run", "cgroupns", 0, OWN_NAMESPACES},
    {"run", "cidfile", 0, "varve run -d prints a process id; --name NAME names the run"},
    {"run", "detach-keys", 0, "nothing detaches a run later: start it with -d"},
    {"run", "device", 0, NO_DEVICES},
    {"run", "device-read-bps", 0, OTHER_LIMITS},
    {"run", "device-write-bps", 0, OTHER_LIMITS},
    {"run", "disable-content-trust", 0, "leave it out: name an image by its digest instead"},
    {"run", "domainname", 0, "leave it out; -h NAME sets the host name"},
    {"run", "expose", 0, "leave it out: -p HOST:PORT publishes a port, exposed or not"},
    {"run", "gpus", 0, NO_DEVICES},
    {"run", "group-add", 0, "-u USER:GROUP sets the user and the group"},
    {"run", "ip", 0, NO_NETWORKS},
    {"run", "ip6", 0, NO_NETWORKS},
    {"run", "ipc", 0, OWN_NAMESPACES},
    {"run", "label-file", 0, "-l KEY=VALUE adds a label"},
    {"run", "link", 0, NO_NETWORKS},
    {"run", "log-driver", 0, OWN_LOG},
    {"run", "log-opt", 0, OWN_LOG},
    {"run", "mac-address", 0, NO_NETWORKS},
    {"run", "memory-reservation", 0, OTHER_LIMITS},
    {"run", "memory-swappiness", 0, OTHER_LIMITS},
    {"run", "network-alias", 0, NO_NETWORKS},
    {"run", "net-alias", 0, NO_NETWORKS},
    {"run", "oom-kill-disable", 0, OTHER_LIMITS},
    {"run", "oom-score-adj", 0, OTHER_LIMITS},
    {"run", "pid", 0, OWN_NAMESPACES},
    {"run", "pids-limit", 0, OTHER_LIMITS},
    {"run", "privileged", 0, ONLY_DEFAULT_RIGHTS},
    {"run", "quiet", 'q', "leave it out, or varve pull -q IMAGE first"},
    {"run", "runtime", 0, "leave it out: varve starts programs itself"},
    {"run", "security-opt", 0, ONLY_DEFAULT_RIGHTS},
    {"run", "sig-proxy", 0, "leave it out: signals are passed on"},
    {"run", "storage-opt", 0, "leave it out: --tmpfs PATH:size=64m limits what is written there"},
    {"run", "sysctl", 0,
     "leave it out: each run has the kernel's defaults in a network of its own"},
    {"run", "userns", 0, OWN_NAMESPACES},
    {"run", "uts", 0, OWN_NAMESPACES},
    {"run", "volume-driver", 0, "leave it out: volumes are folders of the store"},
    {"run", "volumes-from", 0, "mount the same volume in both runs: -v NAME:/PATH"},
    {"exec", "detach-keys", 0, "leave it out: end the program, or close its terminal"},
    {"ps", "size", 's', "leave it out: what a run writes is thrown away; varve du shows the store"},
    {"images", "tree", 0, "varve layers IMAGE shows what an image is made of"},
    {"pull", "all-tags", 'a', EACH_TAG},
    {"pull", "disable-content-trust", 0, "leave it out: name an image by its digest instead"},
    {"push", "all-tags", 'a', EACH_TAG},
    {"push", "disable-content-trust", 0, "leave it out"},
    {"logs", "timestamps", 't', LOG_TIMES},
    {"logs", "since", 0, LOG_TIMES},
    {"logs", "until", 0, LOG_TIMES},
    {"logs", "details", 0, LOG_TIMES},
    {"inspect", "type", 0,
     "leave it out: varve inspect shows images; for runs use varve ps -a --format json"},
    {"inspect", "size", 's', "leave it out: Size is always shown"},
    {"rmi", "no-prune", 0, "leave it out: layers stay until varve prune"},
    {"history", "human", 'H', "leave it out: --format json shows plain numbers"},
    {"build", "debug", 'D', "leave it out; --debug-on-failure opens a shell where a RUN failed"},
    {"build", "policy", 0, "leave it out: there are no policies; FROM NAME@sha256:… pins an image"},
};

/* The one spelling that Docker itself keeps only for compatibility. */
static const struct {
    const char *command, *old, *name;
} aliases[] = {
    {"run", "net", "network"},
    {"run", "dns-opt", "dns-option"},
};

static gboolean is_option(guint i, const char *word)
{
    if (word[0] != '-' || word[1] != '-')
        return word[0] == '-' && word[1] && word[1] == missing[i].letter;
    gsize n = strcspn(word + 2, "=");
    return strlen(missing[i].name) == n && strncmp(missing[i].name, word + 2, n) == 0;
}

const char *docker_option_advice(const char *command, const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(missing); i++)
        if (g_strcmp0(missing[i].command, command) == 0 && is_option(i, word))
            return missing[i].advice;
    return NULL;
}

const char *docker_option_alias(const char *command, const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(aliases) && g_str_has_prefix(word, "--"); i++) {
        gsize n = strcspn(word + 2, "=");
        if (!g_str_equal(aliases[i].command, command) || strlen(aliases[i].old) != n ||
            strncmp(aliases[i].old, word + 2, n) != 0)
            continue;
        g_autofree char *full = g_strconcat("--", aliases[i].name, word + 2 + n, NULL);
        return g_intern_string(full);
    }
    return NULL;
}
