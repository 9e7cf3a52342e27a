/* Whether varve runs in a container, of what kind, and which of its options give what is missing:
 * for messages only, nothing is decided by it. */
#ifndef VARVE_BASE_CONTAINER_H
#define VARVE_BASE_CONTAINER_H

enum container_kind {
    CONTAINER_NONE,
    CONTAINER_DOCKER,
    CONTAINER_PODMAN,
    CONTAINER_KUBERNETES,
    CONTAINER_OTHER,
};
enum container_need {
    CONTAINER_USERNS, /* user namespaces and mounts, which the default filter refuses */
    CONTAINER_PROC,   /* a /proc and /sys without masks */
    CONTAINER_TUN,    /* /dev/net/tun */
    CONTAINER_STORE,  /* a file system for the store that is not overlayfs */
    CONTAINER_IDS,    /* more than one user id */
    CONTAINER_NEEDS,
};

/* "docker", "a pod of Kubernetes"…; NULL outside of containers. By the files that engines leave,
 * and the names of cgroups; looked up once. */
const char *container_name(void);
/* The caller knows better (an environment variable); before any other call. */
void container_assume(enum container_kind kind);
/* What gives it here; NULL outside of containers. */
const char *container_remedy(enum container_need need);

#endif
