#include "base/container.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LOOK (1 << 20)

static enum container_kind assumed = CONTAINER_NONE;

/* Whether a file's beginning contains the text. */
static gboolean file_mentions(const char *path, const char *text)
{
    g_autofree char *content = NULL;
    gsize len = 0;
    return g_file_get_contents(path, &content, &len, NULL) && len <= MAX_LOOK &&
           strstr(content, text);
}

static enum container_kind look_for_container(void)
{
    if (assumed != CONTAINER_NONE)
        return assumed;
    if (access("/run/secrets/kubernetes.io", F_OK) == 0 ||
        file_mentions("/etc/hosts", "Kubernetes-managed hosts file") ||
        file_mentions("/proc/self/cgroup", "kubepods"))
        return CONTAINER_KUBERNETES;
    if (access("/run/.containerenv", F_OK) == 0 || file_mentions("/proc/self/cgroup", "libpod"))
        return CONTAINER_PODMAN;
    /* A virtual machine made of an image has the file, but not the mount. */
    if ((access("/.dockerenv", F_OK) == 0 &&
         file_mentions("/proc/self/mountinfo", " /etc/hostname ")) ||
        file_mentions("/proc/self/cgroup", "docker"))
        return CONTAINER_DOCKER;
    return access("/run/systemd/container", F_OK) == 0 ? CONTAINER_OTHER : CONTAINER_NONE;
}

static enum container_kind container_kind(void)
{
    static gsize once;
    static enum container_kind kind;
    if (g_once_init_enter(&once)) {
        kind = look_for_container();
        g_once_init_leave(&once, 1);
    }
    return kind;
}

const char *container_name(void)
{
    static const char *const names[] = {NULL, "docker", "podman", "a pod of Kubernetes",
                                        "a container"};
    return names[container_kind()];
}

void container_assume(enum container_kind kind)
{
    assumed = kind;
}

static const char file_capabilities[] =
    "run varve as root of the container, or give newuidmap its capability in a file: setcap "
    "cap_setuid=ep /usr/bin/newuidmap; setcap cap_setgid=ep /usr/bin/newgidmap";

const char *container_remedy(enum container_need need)
{
    static const char *const remedies[][CONTAINER_NEEDS] = {
        [CONTAINER_DOCKER] =
            {"docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined",
             "docker run --security-opt systempaths=unconfined", "docker run --device /dev/net/tun",
             "docker run -v varve:/var/lib/varve", file_capabilities},
        [CONTAINER_PODMAN] =
            {"podman run --security-opt seccomp=unconfined --security-opt apparmor=unconfined",
             "podman run --security-opt unmask=ALL", "podman run --device /dev/net/tun",
             "podman run -v varve:/var/lib/varve", file_capabilities},
        [CONTAINER_KUBERNETES] =
            {"in the container's securityContext: seccompProfile: {type: Unconfined} and "
             "appArmorProfile: {type: Unconfined}",
             "hostUsers: false in the pod and procMount: Unmasked in the container's "
             "securityContext",
             "a device plugin that gives the container /dev/net/tun",
             "an emptyDir or persistentVolumeClaim mounted at the store",
             "run varve as root of the container, with the capabilities SETUID, SETGID and "
             "SETFCAP (drop not ALL without adding them), best with hostUsers: false"},
        [CONTAINER_OTHER] = {"a system call filter that allows unshare, mount and pivot_root",
                             "a container without masked paths below /proc and /sys",
                             "the device /dev/net/tun in the container",
                             "a volume for the store: --root or VARVE_ROOT",
                             "run varve as root of the container"},
    };
    enum container_kind kind = container_kind();
    return kind == CONTAINER_NONE ? NULL : remedies[kind][need];
}
