#include "base/mounttype.h"

const char *const mount_type_names[] = {
    [MOUNT_BIND] = "bind",     [MOUNT_CACHE] = "cache", [MOUNT_TMPFS] = "tmpfs",
    [MOUNT_SECRET] = "secret", [MOUNT_SSH] = "ssh",
};
const char *const cache_sharing_names[] = {
    [SHARING_SHARED] = "shared",
    [SHARING_PRIVATE] = "private",
    [SHARING_LOCKED] = "locked",
};
