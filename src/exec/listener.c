#include "exec/listener.h"

#include <linux/seccomp.h>
#include <linux/uio.h>
#include <stddef.h>

#include "exec/launch.h"
#include "exec/raw.h"

/* Newer than some kernels' headers (5.19): once varve has seen the call only a deadly signal wakes
 * the caller, so that no timer's signal makes socket() fail. */
#define WAIT_KILLABLE (1UL << 5)

/* Constants and structs of the kernel's interface that its headers give only together with libc's.
 */
enum { ERR_INVAL = 22, LEVEL_SOCKET = 1, PASS_RIGHTS = 1, NO_SIGNAL = 0x4000 };

struct message { /* struct user_msghdr */
    void *name;
    int name_len;
    struct iovec *iov;
    size_t n_iov;
    void *control;
    size_t control_len;
    unsigned flags;
};
struct rights { /* struct cmsghdr with a descriptor */
    size_t len;
    int level, type;
    int fd;
    int padding;
};

static long send_listener(int report_fd, int fd)
{
    struct launch_report r = {.kind = REPORT_LISTENER};
    struct iovec iov = {&r, sizeof r};
    struct rights rights = {offsetof(struct rights, fd) + sizeof fd, LEVEL_SOCKET, PASS_RIGHTS, fd,
                            0};
    struct message m = {.iov = &iov, .n_iov = 1, .control = &rights, .control_len = sizeof rights};
    long ret = call3(__NR_sendmsg, report_fd, &m, NO_SIGNAL);
    return ret < 0 ? ret : 0;
}

long listener_install(int report_fd, const void *fprog)
{
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    long fd = call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags | WAIT_KILLABLE, fprog);
    if (fd == -ERR_INVAL)
        fd = call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, fprog);
    if (fd < 0)
        return fd;
    long ret = send_listener(report_fd, (int)fd);
    call1(__NR_close, fd);
    return ret;
}
